"""Folders of runs: the place of a new one, and the one that a reference means."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from shlex import quote

from profiler.errors import StoreError, UsageError
from profiler.files import check_writable
from profiler.store.stored_runs import new_run_path
from profiler.values.plain_text import clean
from training.run_folder import PLAN, RECIPE, SEARCH, is_run, may_begin_anew

TRAININGS = Path("trainings")


def new_folder(root: Path, name: str) -> Path:
    """A new name below `root`, which can be written to; creates nothing.

    Raises:
        StoreError: it cannot be written to.
    """
    check_writable(root)
    return new_run_path(root, name)


def check_new(folder: Path) -> None:
    """Let a run begin in a folder.

    Raises:
        UsageError: there is something in it that is no run without a finished epoch.
        StoreError: it cannot be written to.
    """
    if folder.is_dir() and any(folder.iterdir()) and not may_begin_anew(folder):
        hint = "name a new folder"
        marks = {"experiment": PLAN, "search": SEARCH, "train": RECIPE}
        verb = next((verb for verb, name in marks.items() if (folder / name).is_file()), None)
        verb = verb or ("train" if is_run(folder) else None)
        if verb is not None:
            hint += f", or go on with `python -m training {verb} --resume {quote(str(folder))}`"
        raise UsageError(f"there is something in --out {clean(str(folder))} already", hint=hint)
    check_writable(folder)


def find_run(reference: str | Path) -> Path:
    """The folder of a run.

    Args:
        reference: the folder, or a part of a name that only one run below `trainings/` has.

    Raises:
        StoreError: it leads to no run, or to several.
    """
    path = Path(reference)
    if is_run(path):
        return path
    if path.exists():
        raise StoreError(
            f"'{clean(str(path))}' is no folder of a run: it has no {RECIPE}",
            hint="name the folder that `train` printed, below trainings/ unless --out was given",
        )
    named = str(reference)
    known = sorted(TRAININGS.iterdir()) if TRAININGS.is_dir() else []
    found = [folder for folder in known if named and named in folder.name and is_run(folder)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise StoreError(
            f"there is no run '{clean(named)}'",
            hint=f"name its folder; {TRAININGS}/ holds {len(known)}",
        )
    names = ", ".join(folder.name for folder in found[:4]) + (", ..." if len(found) > 4 else "")
    raise StoreError(
        f"{len(found)} runs are called '{named}': {names}", hint="give more of the name"
    )


def remove_unbegun(folder: Path, *names: str) -> None:
    """Remove the files that were written for what was then refused, and the folder if it is empty.

    A misspelt --data is to leave no folder behind that stands in the way of the next attempt.
    """
    for name in names:
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # something else is in it, or it was not made
        folder.rmdir()
