"""The files in the folder of a training run, every name once, and whether they are in the way.

    recipe.json            what is computed; written first
    ledger.jsonl           where the joules went; a host beyond the first has a file of its own
    epochs.csv             what each epoch came to and cost, for other people's tools
    journal-N.jsonl        raw readings of the N-th segment
    last.safetensors       where the run stands; last.json is its header, readable
    best.safetensors       the best weights so far; best.json likewise
    result.json            what the run came to

    experiment.json        of an experiment: its plan, and what its finished runs came to
    table.md               one row a model

    search.json            of a search: its plan, and what it came to

Imports no torch.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from profiler.errors import StoreError
from profiler.ledger.ledger_file import journal_name, ledger_path

RECIPE = "recipe.json"
RESULT = "result.json"
LEDGER = ledger_path(Path(), host=0).name
FIRST_JOURNAL = journal_name(segment=0, host=0)
LAST = "last.safetensors"
BEST = "best.safetensors"
EPOCHS = "epochs.csv"
PLAN = "experiment.json"
TABLE = "table.md"
SEARCH = "search.json"

FAILED = "failed"
_OF_A_RUN = (RECIPE, RESULT, EPOCHS, "ledger*.jsonl", "journal-*.jsonl", "last.*", "best.*")


def is_run(folder: Path) -> bool:
    """Whether a run was begun in a folder."""
    return (folder / RECIPE).is_file() or (folder / LEDGER).is_file()


def may_begin_anew(folder: Path) -> bool:
    """Whether a folder holds a run without a finished epoch, on which no process works."""
    if not is_run(folder) or (folder / SEARCH).is_file():  # a search has a ledger without epochs
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
