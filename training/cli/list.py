"""List the trainings of a folder: what was trained, the accuracy on the test split, and the joules.

Runs inside experiments are listed with theirs; one that is not finished says how far it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from profiler.errors import StoreError
from profiler.render.document import Column, Table
from profiler.render.formats.text import table_text
from profiler.values.codec import encode
from profiler.values.plain_text import clean
from profiler.values.units import NOT_SEEN, show
from training.progress.words import as_percent, ending
from training.result import TrainingResult, read_result
from training.run_folder import SEARCH, is_run

from .options import add_json
from .output_folders import TRAININGS

SCHEMA_VERSION = 1
LONGEST = 20
_COLUMNS = (
    Column(label="run", role="code"),
    Column(label="model", role="code"),
    Column(label="epochs", role="number"),
    Column(label="test accuracy", role="number"),
    Column(label="joules", role="number"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `list`."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=TRAININGS, metavar="DIR",
        help="default: %(default)s",
    )  # fmt: skip
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the list; a run that cannot be read is a row that says why."""
    entries = [(name, *_read(arguments.folder / name)) for name in _runs(arguments.folder)]
    if arguments.json:
        runs = [
            {"run": name, "problem": problem, "result": encode(result)}
            for name, result, problem in entries
        ]
        print(json.dumps({"schema_version": SCHEMA_VERSION, "runs": encode(runs)}))
    elif entries:
        rows = tuple(_row(*entry) for entry in entries)
        caption = f"Trainings below {clean(str(arguments.folder))}"
        print(table_text(Table(caption=caption, columns=_COLUMNS, rows=rows)))
    else:
        print(f"no trainings below {clean(str(arguments.folder))}", file=sys.stderr)
        print("hint: python -m training train --recipe digits", file=sys.stderr)
    return 0


def _runs(folder: Path) -> Iterator[str]:
    """Names of the run folders in a folder and in the experiments there, in their order."""
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return
    for path in inside:
        if is_run(path) and not (path / SEARCH).is_file():
            yield path.name
        else:
            yield from (
                f"{path.name}/{below.name}" for below in sorted(path.iterdir()) if is_run(below)
            )


def _read(folder: Path) -> tuple[TrainingResult | None, str | None]:
    try:
        return read_result(folder), None
    except StoreError as error:
        return None, error.message


def _row(name: str, result: TrainingResult | None, problem: str | None) -> tuple[str, ...]:
    if result is None:
        return (ending(name, LONGEST), "unreadable" if problem else "not finished", "", "", "")
    return (
        ending(name, LONGEST),
        ending(Path(result.recipe.model).name, LONGEST),
        f"{result.epochs_done} of {result.recipe.epochs}",
        NOT_SEEN if result.test_accuracy is None else as_percent(result.test_accuracy),
        show(result.ledger.energy_j),
    )
