"""Having the cells of a study run: in order of what they need, once each, whatever befalls one."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from profiler.values.plain_text import clean
from reports.engines import Engine, EngineJob, JobEnd
from reports.engines.job import utc_now

from .cell import Cell, CellEnd, CellState, digests
from .commands import command_of
from .study_folder import END, LOG, RUNS, cell_folder, read_ends, write_end
from .time_left import TimeLeft

CHECKOUT = Path(__file__).resolve().parents[2]
LOOK_PERIOD_S = 0.5
_LONGEST_REASON = 300


class Watch(Protocol):
    """Who watches a study. None of it may raise."""

    def begin(self, cells: Sequence[Cell], ends: Mapping[str, CellEnd]) -> None:
        """What is to be done, and what is finished already."""

    def look(self, running: Sequence[str]) -> None:
        """Time goes on; these cells have their device."""

    def ended(self, cell: Cell, end: CellEnd) -> None:
        """A cell has ended."""


class Conductor:
    """Runs the cells of a study that are not finished.

    Args:
        folder: the study's.
        cells: what to run, those that others need first.
        codes: by name, the digest of each, see `digests`.
        engine: what runs them; `engine_name` as it is stored.
        watch: told what happens.
        time_left: in which no cell begins that may not end; None for as long as it takes.
    """

    def __init__(
        self,
        folder: Path,
        cells: Sequence[Cell],
        engine: Engine,
        engine_name: str,
        watch: Watch,
        time_left: TimeLeft | None = None,
    ) -> None:
        self._cells = tuple(cells)
        codes = digests(self._cells)
        self._codes = codes
        self._folders = {
            cell.name: cell_folder(folder, cell, codes[cell.name]) for cell in self._cells
        }
        self._engine, self._engine_name, self._watch = engine, engine_name, watch
        self._time_left = time_left
        stored = read_ends(folder, self._cells)
        self._ends = {n: end for n, end in stored.items() if end.state is CellState.FINISHED}
        self._submitted: dict[str, Cell] = {}

    def run(self) -> Mapping[str, CellEnd]:
        """Run what is left, and return how every cell ended.

        Raises:
            StoreError: what a cell came to could not be written.
        """
        self._watch.begin(self._cells, self._ends)
        try:
            self._submit_ready()
            while len(self._ends) < len(self._cells):
                for end in self._engine.wait(LOOK_PERIOD_S):
                    self._conclude(self._submitted.pop(end.name), end)
                self._submit_ready()
                self._watch.look(self._running())
        finally:
            self._engine.close()
        return dict(self._ends)

    def _running(self) -> list[str]:
        return [name for name in self._submitted if (self._folders[name] / LOG).exists()]

    def _submit_ready(self) -> None:
        """Hand on the cells whose needs are finished, and end those whose needs have failed."""
        for cell in self._cells:
            if cell.name in self._ends or cell.name in self._submitted:
                continue
            needed = [self._ends.get(name) for name in cell.needs]
            missing = [
                name
                for name, end in zip(cell.needs, needed, strict=True)
                if end is not None and end.state is not CellState.FINISHED
            ]
            if missing:
                self._end(cell, self._without(cell, missing[0]))
            elif None not in needed and not self._must_wait(cell):
                refusal = "" if self._time_left is None else self._time_left.refusal(cell)
                if refusal:
                    self._end(cell, self._unbegun(cell, CellState.NOT_BEGUN, refusal))
                else:
                    self._submit(cell)

    def _must_wait(self, cell: Cell) -> bool:
        """Whether it is not yet known how much time is left when the cell can begin."""
        busy = {other.device for other in self._submitted.values()}
        return self._time_left is not None and cell.device in busy

    def _submit(self, cell: Cell) -> None:
        folder = self._folders[cell.name]
        folder.mkdir(parents=True, exist_ok=True)
        # What an attempt before has left must not be taken for what this one gives. A training
        # stays: it goes on from its last checkpoint.
        for name in (END, LOG):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / RUNS, ignore_errors=True)
        self._submitted[cell.name] = cell
        path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
        self._engine.submit(
            EngineJob(
                name=cell.name,
                device=cell.device,
                command=command_of(cell, self._folders),
                folder=folder.absolute(),
                cwd=Path.cwd(),
                environment={"PYTHONPATH": path},
                limit_s=cell.limit_s if self._time_left is None else self._time_left.limit_s(cell),
            )
        )

    def _conclude(self, cell: Cell, job: JobEnd) -> None:
        reason, hint = job.reason, ""
        if job.exit_code and not reason:
            reason, hint = _told(self._folders[cell.name] / LOG, job.exit_code)
        is_finished = job.exit_code == 0 and not reason
        self._end(
            cell,
            CellEnd(
                code=self._codes[cell.name],
                state=CellState.FINISHED if is_finished else CellState.FAILED,
                command=command_of(cell, self._folders),
                started_utc=job.started_utc,
                duration_s=job.duration_s,
                device=cell.device,
                engine=self._engine_name,
                exit_code=job.exit_code,
                reason=reason,
                hint=hint,
            ),
        )

    def _without(self, cell: Cell, needed: str) -> CellEnd:
        state = self._ends[needed].state
        what = "failed" if state is CellState.FAILED else "was not begun"
        return self._unbegun(cell, state, f"needs the weights of {needed}, which {what}")

    def _unbegun(self, cell: Cell, state: CellState, reason: str) -> CellEnd:
        return CellEnd(
            code=self._codes[cell.name],
            state=state,
            command=command_of(cell, self._folders),
            started_utc=utc_now(),
            duration_s=0.0,
            device=cell.device,
            engine=self._engine_name,
            reason=reason,
        )

    def _end(self, cell: Cell, end: CellEnd) -> None:
        write_end(self._folders[cell.name], end)
        self._ends[cell.name] = end
        if self._time_left is not None:
            self._time_left.learn(cell, end)
        self._watch.ended(cell, end)


def _told(log: Path, exit_code: int) -> tuple[str, str]:
    """The sentence and the hint that a command ended with, or how it was ended."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    if errors:
        return clean(errors[-1])[:_LONGEST_REASON], clean(hints[-1] if hints else "")
    if exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}", ""
    return f"ended with exit code {exit_code}", f"see {log}"
