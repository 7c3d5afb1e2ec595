"""List what has been stored, oldest first, with what a killed run left behind."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from profiler.errors import StoreError
from profiler.render.document import Column, Table
from profiler.render.formats.text import table_text
from profiler.store import StoredRun, list_runs, load_all
from profiler.values.profile import SCHEMA_VERSION, Profile
from profiler.values.units import NOT_SEEN, show

from .page import add_wide, page_width

_PARTIAL = "partial: cut short while it was written; it can be deleted"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `runs`."""
    parser.add_argument("--root", default="runs", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    add_wide(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the list; an unreadable run is a row that says why."""
    entries = [_read(run) for run in list_runs(arguments.root)]
    if arguments.json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "root": str(arguments.root),
            "runs": [_to_json(*entry) for entry in entries],
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    elif entries:
        width = page_width(is_wide=arguments.wide)
        print(table_text(_table(arguments.root, entries), width))
    else:
        print(f"no runs in {arguments.root}", file=sys.stderr)
        print("hint: python -m profiler measure --model lightweight", file=sys.stderr)
    return 0


def _read(run: StoredRun) -> tuple[StoredRun, Profile | None, str]:
    if not run.complete:
        return run, None, _PARTIAL
    try:
        (profile,) = load_all(run.path)
    except StoreError as error:
        return run, None, f"unreadable: {error.message}"
    return run, profile, ""


def _to_json(run: StoredRun, profile: Profile | None, problem: str) -> dict[str, Any]:
    return {
        "path": str(run.path),
        "complete": run.complete,
        "problem": problem or None,
        "name": None if profile is None else profile.name,
        "created_utc": None if profile is None else profile.created_utc,
        "device_name": None if profile is None else profile.environment.device_name,
        "batch_size": None if profile is None else profile.workload.batch_size,
        "dtype": None if profile is None else profile.workload.dtype,
    }


def _table(root: str, entries: list[tuple[StoredRun, Profile | None, str]]) -> Table:
    columns = (
        Column(label="run", role="code"),
        Column(label="model"),
        Column(label="batch", role="number"),
        Column(label="latency per call", role="number", leaves=2),
        Column(label="energy per call", role="number"),
        Column(label="basis"),
        Column(label="device", leaves=1),
    )
    rows = tuple(_row(*entry) for entry in entries)
    return Table(caption=f"Runs in {root}", columns=columns, rows=rows)


def _row(run: StoredRun, profile: Profile | None, problem: str) -> tuple[str, ...]:
    if profile is None:
        return (run.path.name, problem, "", "", "", "", "")
    size, energy = profile.workload.batch_size, profile.energy_j
    return (
        run.path.name,
        profile.name,
        "" if size is None else f"{size:,}",
        show(profile.latency_s),
        show(energy),
        NOT_SEEN if energy is None else energy.basis.value,
        profile.environment.device_name,
    )
