"""Saving and loading profiles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.files import write_whole_file, write_whole_folder
from profiler.values.codec import FormError, decode, encode, parse, profile_document
from profiler.values.layer_table import LAYER_COLUMNS, layer_rows, write_csv
from profiler.values.profile import SCHEMA_VERSION, Profile

from .stored_runs import PROFILE_FILE, new_run_path, resolve_runs
from .traces import TRACE_FILE, read_traces, write_traces

LAYERS_FILE = "layers.csv"


def save(profile: Profile, path: str | Path) -> Path:
    """Write a profile so that `load` gives back an equal one.

    Args:
        profile: what to write.
        path: a folder to make (it must not exist yet); or, where it ends in ".json", one file that
            holds the raw readings as well, and replaces what was there.

    Returns:
        The path written.

    Raises:
        StoreError: it could not be written; nothing half-written is left then.
    """
    path = Path(path)
    if path.suffix == ".json":
        document = profile_document(profile) | {"traces": encode(profile.traces)}
        return write_whole_file(path, _to_json(document))
    writers = {
        PROFILE_FILE: lambda file: _write(file, _to_json(profile_document(profile))),
        LAYERS_FILE: lambda file: _write(
            file, write_csv(LAYER_COLUMNS, layer_rows(profile.layers))
        ),
    }
    if profile.traces:
        writers[TRACE_FILE] = lambda file: write_traces(profile.traces, file)
    return write_whole_folder(path, writers)


def save_run(profile: Profile, root: str | Path = "runs") -> Path:
    """Write a profile as a new run under `root`, under a name that no other run has."""
    return save(profile, new_run_path(root, profile.name))


def load(path: str | Path, *, with_traces: bool = True) -> Profile:
    """Read one profile.

    Args:
        path: a run's folder or a JSON file that holds one profile.
        with_traces: False leaves the raw readings on the disk, and imports nothing to read them.

    Raises:
        StoreError: nothing there, not readable, of another schema, or several profiles.
    """
    profiles = load_all(path, with_traces=with_traces)
    if len(profiles) != 1:
        raise StoreError(
            f"{path} holds {len(profiles)} profiles where one is asked for",
            hint="use profiler.store.load_all",
        )
    return profiles[0]


def load_all(
    reference: str | Path, root: str | Path = "runs", *, with_traces: bool = False
) -> tuple[Profile, ...]:
    """Every profile that a reference stands for (see `resolve_runs`), oldest first."""
    named = load_named(reference, root, with_traces=with_traces)
    return tuple(profile for _, profile in named)


def load_named(
    reference: str | Path, root: str | Path = "runs", *, with_traces: bool = False
) -> tuple[tuple[str, Profile], ...]:
    """The same with what each run is called: its folder, or its file and place in it."""
    named: list[tuple[str, Profile]] = []
    for path in resolve_runs(reference, root):
        folder = path.parent if path.name == PROFILE_FILE else path
        name = folder.resolve().name if folder.is_dir() else path.stem
        profiles = _load_path(path, with_traces=with_traces)
        if len(profiles) == 1:
            named.append((name, profiles[0]))
        else:
            named += [(f"{name}#{number}", each) for number, each in enumerate(profiles, 1)]
    return tuple(named)


def _load_path(path: Path, *, with_traces: bool) -> tuple[Profile, ...]:
    if path.is_dir():
        path = path / PROFILE_FILE
    document = _read_json(path)
    if isinstance(document, dict) and isinstance(document.get("profiles"), list):
        _check_schema(document, path)
        return tuple(_build(item, path, with_traces) for item in document["profiles"])
    profile = _build(document, path, with_traces)
    trace_file = path.with_name(TRACE_FILE)
    if with_traces and path.name == PROFILE_FILE and trace_file.is_file():
        profile = replace(profile, traces=read_traces(trace_file))
    return (profile,)


def _build(document: Any, path: Path, with_traces: bool) -> Profile:
    _check_schema(document, path)
    if not with_traces:
        document = {**document, "traces": []}
    try:
        return decode(document, Profile)
    except FormError as error:
        raise StoreError(
            f"{path} is not a profile: {error}", hint="it was edited or cut short; measure again"
        ) from error


def _check_schema(document: Any, path: Path) -> None:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int):
        raise StoreError(
            f"{path} is not a profile: it has no schema_version",
            hint="give a run's folder, or what `measure --json` printed",
        )
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, and this version reads up to {SCHEMA_VERSION}",
            hint="pip install --upgrade wattprof",
        )
    if version < 1:
        raise StoreError(f"{path} has schema version {version}, which never existed")


def _read_json(path: Path) -> Any:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise StoreError(
            f"cannot read {path}: {error.strerror}", hint="`python -m profiler runs` lists the runs"
        ) from error
    except FormError as error:
        raise StoreError(f"{path} {error}", hint="measure it again") from error


def _to_json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
