"""A study as it is published: what its numbers rest on, each run verified, no large file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from profiler.errors import StoreError
from profiler.files import write_whole_folder
from profiler.measurement.verification import verify
from profiler.store import list_runs, load_all
from profiler.values.plain_text import clean
from reports.studies.study_folder import (
    END,
    OUTPUT,
    RUNS,
    STUDY,
    TRAINING,
    StoredStudy,
)
from training.run_folder import BEST, LEDGER, RECIPE, RESULT

REPORTS = ("report.md", "report.html")
_OF_A_TRAINING = (RECIPE, LEDGER, RESULT, BEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What was published.

    Args:
        folder: where.
        files: how many.
        size_bytes: of all.
        verified: names of the runs whose joules follow from the readings published with them.
        left_out: files that are larger than asked, and their bytes.
    """

    folder: Path
    files: int
    size_bytes: int
    verified: tuple[str, ...]
    left_out: dict[str, int]


def publish(study: StoredStudy, target: Path, *, most_bytes: int) -> Publication:
    """Copy a study into a new folder: ends, outputs, runs, ledgers, small checkpoints, reports.

    Args:
        study: what is published; what did not finish is there with its reason.
        target: a folder that is not there yet.
        most_bytes: no file is larger; what is, is left out.

    Raises:
        StoreError: a run's joules do not follow from its readings, or a file cannot be copied.
    """
    verified = tuple(_verified(study))
    sizes = {path: path.stat().st_size for path in _published(study)}
    kept = {path: size for path, size in sizes.items() if size <= most_bytes}
    writers: dict[str, Callable[[Path], None]] = {
        str(path.relative_to(study.folder)): partial(_copy, path) for path in kept
    }
    return Publication(
        folder=write_whole_folder(target, writers),
        files=len(kept),
        size_bytes=sum(kept.values()),
        verified=verified,
        left_out={
            str(path.relative_to(study.folder)): size
            for path, size in sizes.items()
            if path not in kept
        },
    )


def _verified(study: StoredStudy) -> Iterator[str]:
    for cell in study.document.cells:
        runs = study.folder_of(cell) / RUNS
        if not study.is_finished(cell) or not runs.is_dir():
            continue
        for profile in load_all(runs, with_traces=True):
            if not verify(profile).holds:
                raise StoreError(
                    f"the joules of '{clean(profile.name)}' in '{clean(str(runs))}' do not follow "
                    "from its readings",
                    hint=f"python -m profiler verify '{runs}' says which",
                )
            yield f"{cell.name}/{profile.name}"


def _published(study: StoredStudy) -> Iterator[Path]:
    """Every file that belongs to it and is there."""
    named = [study.folder / name for name in (STUDY, *REPORTS)]
    for cell in study.document.cells:
        folder = study.folder_of(cell)
        named += [folder / END, folder / OUTPUT]
        if study.is_finished(cell):
            named += [folder / TRAINING / name for name in _OF_A_TRAINING]
            runs = folder / RUNS
            whole = [run.path for run in list_runs(runs) if run.complete]
            named += [path for run in whole for path in sorted(run.iterdir())]
    yield from (path for path in named if path.is_file())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
