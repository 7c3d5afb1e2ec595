"""The files of a training run in its folder, and whether they stand in another run's way.

Imports no torch.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from profiler.errors import StoreError

RECIPE = "recipe.json"
RESULT = "result.json"
LEDGER = "ledger.jsonl"
FIRST_JOURNAL = "journal-0.jsonl"
LAST = "last.safetensors"
BEST = "best.safetensors"

FAILED = "failed"
_OF_A_RUN = (RECIPE, RESULT, "ledger*.jsonl", "journal-*.jsonl", "last.*", "best.*")


def is_run(folder: Path) -> bool:
    """Whether a run was begun in a folder."""
    return (folder / RECIPE).is_file() or (folder / LEDGER).is_file()


def may_begin_anew(folder: Path) -> bool:
    """Whether a folder holds a run without a finished epoch, on which no process works."""
    if not is_run(folder):
        return False
    if not (folder / LEDGER).is_file():
        return not (folder / LAST).is_file()
    from profiler.ledger import read_ledger
    from profiler.ledger.entries import RUNNING

    try:
        ledger = read_ledger(folder)
    except StoreError:  # what it holds cannot be told, so it stays as it is
        return False
    return not ledger.epochs and all(segment.ended != RUNNING for segment in ledger.segments)


def has_failed_early(folder: Path) -> bool:
    """Whether a folder's run ended by an error before it had finished an epoch."""
    if not may_begin_anew(folder) or not (folder / LEDGER).is_file():
        return False
    from profiler.ledger import read_ledger

    return read_ledger(folder).segments[-1].ended == FAILED


def set_aside(folder: Path) -> Path:
    """Move the files of a run into a new subfolder, with the joules it has spent; that subfolder.

    Raises:
        StoreError: one of them cannot be moved.
    """
    number = 1
    while (folder / f"attempt-{number}").exists():
        number += 1
    aside = folder / f"attempt-{number}"
    try:
        aside.mkdir()
        for path in sorted(folder.iterdir()):
            if path.is_file() and any(fnmatch(path.name, pattern) for pattern in _OF_A_RUN):
                path.rename(aside / path.name)
    except OSError as error:
        raise StoreError(
            f"the files of the run in '{folder}' cannot be moved to '{aside}' ({error.strerror})",
            hint="give another --out",
        ) from error
    return aside
