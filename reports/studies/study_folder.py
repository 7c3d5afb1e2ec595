"""A study on the disk, and reading it back.

    STUDY/study.json                        what the study is: its title, its paper, its cells
    STUDY/cells/NAME-DIGEST/end.json        what a cell came to; written last
                           /output.txt      what its command printed: JSON, or a drawing
                           /log.txt         what its command told on stderr
                           /runs/           of `measure`: folders of runs, as `profiler` stores them
                           /training/       of `train`: the folder of a training

The digest in a cell's folder name is that of what decides the cell: a plan that was changed
takes over the cells that it did not change, and overwrites none.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.files import cannot_write, write_whole_file
from profiler.store import load_named
from profiler.values.codec import FormError, check_version, decode, encode, parse
from profiler.values.plain_text import clean
from profiler.values.profile import Profile

from .cell import Cell, CellEnd, CellState, digests

SCHEMA_VERSION = 1
STUDY = "study.json"
END = "end.json"
CELLS = "cells"
OUTPUT = "output.txt"
LOG = "log.txt"
RUNS = "runs"
TRAINING = "training"
LOCK = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDocument:
    """What study.json holds.

    Args:
        id: name of the study.
        title: heading of its report.
        paper: id of the claims that it is put beside (`reports/claims/`); None for none.
        created_utc: ISO 8601, to the second.
        version: of the program that planned it.
        cells: all of it, those that others need first.
    """

    id: str
    title: str
    paper: str | None = None
    created_utc: str
    version: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy:
    """A study with what its cells came to.

    Args:
        folder: where it lies.
        document: what it is.
        ends: by name of the cell; a cell that has not run is not in it.
    """

    folder: Path
    document: StudyDocument
    ends: Mapping[str, CellEnd]

    def folder_of(self, cell: Cell) -> Path:
        """Where a cell's files are."""
        return cell_folder(self.folder, cell, digests(self.document.cells)[cell.name])

    def is_finished(self, cell: Cell) -> bool:
        """Whether it ran to its end."""
        end = self.ends.get(cell.name)
        return end is not None and end.state is CellState.FINISHED

    def forget(self, cell: Cell) -> None:
        """Take a cell for one that has not run yet.

        Raises:
            StoreError: what it came to could not be removed.
        """
        path = self.folder_of(cell) / END
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error

    def runs_of(self, cell: Cell, *, with_traces: bool = False) -> tuple[tuple[str, Profile], ...]:
        """What a finished `measure` cell stored, by the names of its runs; () for any other cell.

        The raw readings are read `with_traces` alone.
        """
        runs = self.folder_of(cell) / RUNS
        if not self.is_finished(cell) or not runs.is_dir():
            return ()
        return load_named(runs, with_traces=with_traces)

    def training_of(self, cell: Cell) -> Path | None:
        """The folder of a finished training (`training.result.read_result` reads it)."""
        training = self.folder_of(cell) / TRAINING
        return training if self.is_finished(cell) and training.is_dir() else None

    def output_of(self, cell: Cell) -> Any:
        """The JSON that a finished cell printed; None where it printed none.

        Raises:
            StoreError: the file cannot be read.
        """
        path = self.folder_of(cell) / OUTPUT
        if not self.is_finished(cell) or not path.is_file():
            return None
        try:
            return parse(path.read_bytes())
        except (FormError, OSError) as error:
            raise _unreadable(path, error, "delete the cell's folder and run it again") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from working on a study; the folder is made.

    Raises:
        StoreError: another process works on it, or it cannot be written to.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise cannot_write(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"another process works on the study in '{clean(str(folder))}'",
                hint="wait until it has ended, or give another --out",
            ) from error
        yield


def is_study(folder: Path) -> bool:
    """Whether a study was begun in a folder."""
    return (folder / STUDY).is_file()


def cell_folder(study: Path, cell: Cell, code: str) -> Path:
    """Where a cell's files go."""
    return study / CELLS / f"{cell.name}-{code}"


def write_study(folder: Path, document: StudyDocument) -> None:
    """Write study.json whole.

    Raises:
        StoreError: it could not be written.
    """
    _write(folder / STUDY, document)


def write_end(folder: Path, end: CellEnd) -> None:
    """Write what a cell came to into its folder.

    Raises:
        StoreError: it could not be written.
    """
    _write(folder / END, end)


def read_study(folder: Path) -> StoredStudy:
    """A study, with what its cells came to.

    Raises:
        StoreError: there is none in the folder, or it cannot be read.
    """
    path = folder / STUDY
    if not path.is_file():
        raise StoreError(
            f"'{clean(str(folder))}' holds no study: it has no {STUDY}",
            hint="name a folder that `python -m reports study` wrote",
        )
    document = _read(path, StudyDocument, "delete that folder and begin the study anew")
    return StoredStudy(folder=folder, document=document, ends=read_ends(folder, document.cells))


def read_ends(folder: Path, cells: tuple[Cell, ...]) -> Mapping[str, CellEnd]:
    """What those of some cells came to that have run.

    Raises:
        StoreError: an end cannot be read.
    """
    codes = digests(cells)
    paths = {cell.name: cell_folder(folder, cell, codes[cell.name]) / END for cell in cells}
    return {
        name: _read(path, CellEnd, f"delete the folder '{clean(str(path.parent))}'")
        for name, path in paths.items()
        if path.is_file()
    }


def past_of(folder: Path) -> tuple[tuple[Cell, CellEnd], ...]:
    """The cells that have ended of the study in a folder and of those beside it."""
    known = []
    beside = sorted(folder.parent.glob(f"*/{STUDY}")) if folder.parent.is_dir() else []
    for path in beside:
        try:
            study = read_study(path.parent)
        except StoreError:  # it says nothing about time, and is not what was asked for
            continue
        cells = {cell.name: cell for cell in study.document.cells}
        known += [(cells[name], end) for name, end in study.ends.items()]
    return tuple(known)


def _read(path: Path, kind: Any, hint: str) -> Any:
    try:
        document = parse(path.read_bytes())
        check_version(document, SCHEMA_VERSION)
        return decode(document, kind)
    except (FormError, OSError) as error:
        raise _unreadable(path, error, hint) from error


def _write(path: Path, value: Any) -> None:
    document = {"schema_version": SCHEMA_VERSION, **encode(value)}
    write_whole_file(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _unreadable(path: Path, error: Exception, hint: str) -> StoreError:
    return StoreError(f"'{clean(str(path))}' cannot be read: {clean(str(error))}", hint=hint)
