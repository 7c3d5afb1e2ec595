"""What we run: lists of `measure` invocations, read from `studies/*.toml`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from profiler.store import load_all
from profiler.values.profile import Profile

from .data_error import ReportDataError
from .toml_file import files_in, read_toml

FOLDER = Path(__file__).parent / "studies"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """A study of ours.

    Args:
        id: its name on the command line.
        title: heading of its report.
        measurements: the flags of each `python -m profiler measure`.
    """

    id: str
    title: str
    measurements: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measurement:
    model: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _StudyFile:
    id: str
    title: str
    measure: tuple[_Measurement, ...] = ()


class MeasureFailed(Exception):
    """A `measure` ended with an error, which it has already told.

    Attributes:
        exit_code: what it ended with.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"measure ended with exit code {exit_code}")
        self.exit_code = exit_code


def find_plan(name: str, folder: Path = FOLDER) -> StudyPlan:
    """The study of that name.

    Raises:
        ReportDataError: there is none, or its file is not as it must be.
    """
    plans = {plan.id: plan for plan in map(read_plan, files_in(folder))}
    if name not in plans:
        raise ReportDataError(f"unknown study '{name}'", hint=f"studies: {', '.join(plans)}")
    return plans[name]


def read_plan(file: Path) -> StudyPlan:
    """One study.

    Raises:
        ReportDataError: the file is not as it must be; the message names file and field.
    """
    stored = read_toml(file, _StudyFile)
    if not stored.measure:
        raise ReportDataError(f"{file.name} lists no 'measure'")
    return StudyPlan(
        id=stored.id,
        title=stored.title,
        measurements=tuple(("--model", one.model, *one.flags) for one in stored.measure),
    )


def run_plan(plan: StudyPlan, runs: Path) -> tuple[Profile, ...]:
    """Measure everything a study lists, each model in a process of its own.

    Args:
        plan: what to run.
        runs: folder that receives the runs.

    Raises:
        MeasureFailed: one of them did not succeed.
        StoreError: what it printed cannot be read.
    """
    return tuple(
        profile for flags in plan.measurements for profile in _measure((*flags, "--out", str(runs)))
    )


def _measure(flags: Sequence[str]) -> tuple[Profile, ...]:
    command = [sys.executable, "-m", "profiler", "measure", *flags, "--json"]
    print(f"python -m profiler measure {' '.join(flags)}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder) / "measure.json"
        with printed.open("wb") as stdout:
            exit_code = subprocess.run(command, stdout=stdout, check=False).returncode
        if exit_code != 0:
            raise MeasureFailed(exit_code)
        return load_all(printed)
