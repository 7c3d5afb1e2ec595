"""`profiler.record()`: the joules of any code at all, on every sensor this process may see.

    import profiler

    with profiler.record() as recording:
        with recording.window("epoch 1"):
            train_one_epoch()
    print(recording["epoch 1"].energy_j)

It needs neither torch nor a GPU. A window costs the caller two timestamps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from profiler.errors import StoreError, UsageError
from profiler.meters import OpenMeter, SensorChoice, close_meters
from profiler.meters.choice import sensor_choice
from profiler.meters.clock import Clock
from profiler.values.findings import (
    Finding,
    forked,
    journal_ended,
    no_sensor,
    not_recorded,
    windows_forgotten,
)
from profiler.values.trace import CounterTrace, Trace, Window

from .past import PastRecorder, only_readable
from .recorder import Recorder
from .window_energy import WindowEnergy, energy_of, windows_frame

if TYPE_CHECKING:
    import pandas

    from profiler.inference import TargetEnergy

    from .journal import Journal

WHOLE = "whole recording"
FEW_WINDOWS = 500
MANY_MOVES, MANY_WINDOWS = 2_000, 2_000
"""Moves of a counter (minutes), or windows, from which on those far from a target are left out."""


class Recording:
    """A recording of this machine's sensors, readable while it runs and after it has stopped.

    Args:
        meters: opened meters; by default every sensor that this process may see.
        clock: what time it is.
        wait: block at the end of each window until it can be known exactly (up to one update
            period of the slowest counter), instead of reading it later.
        journal: a file to which what was seen is appended every second, so that a recording that
            is killed can be recovered (`profiler.journal.recover`).
        choice: which of the machine's sensors to use, where no meters are given.
    """

    def __init__(
        self,
        meters: Sequence[OpenMeter] | None = None,
        *,
        clock: Clock | None = None,
        wait: bool = False,
        journal: Path | str | None = None,
        choice: SensorChoice | None = None,
    ) -> None:
        self._meters = meters
        self._choice = choice
        self._clock = clock
        self._wait = wait
        self._journal_path = None if journal is None else Path(journal)
        self._journal: Journal | None = None
        self._recorder: Recorder | PastRecorder | None = None
        self._opened_here: Sequence[OpenMeter] = ()
        self._settled: dict[str, WindowEnergy] = {}
        self.opening_findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        if self._recorder is None:
            return "recording, not started"
        return "\n".join(map(str, (self.total, *self.energies())))

    def to_pandas(self) -> pandas.DataFrame:
        """One row a name of a window, with its joules; the whole recording comes first."""
        return windows_frame([self.total, *self.energies()])

    def start(self) -> Recording:
        """Open the sensors and begin to sample in the background; returns in milliseconds.

        Raises:
            UsageError: it has been started before.
            StoreError: the journal cannot be created.
        """
        if self._recorder is not None:
            raise UsageError("this recording has been started before", hint="make a new one")
        meters = self._meters
        if meters is None:
            from profiler.meters import open_meters

            opened = open_meters(choice=self._choice)
            meters, self.opening_findings = opened.meters, opened.findings
            self._opened_here = meters
        self._recorder = recorder = self._make_recorder(meters).start()
        if self._journal_path is not None:
            from .journal import Journal

            try:
                self._journal = Journal(self._journal_path, recorder).start()
            except StoreError:
                recorder.stop()
                close_meters(self._opened_here)
                raise
        return self

    def _make_recorder(self, meters: Sequence[OpenMeter]) -> Recorder:
        return Recorder(meters, clock=self._clock, wait=self._wait)

    def stop(self) -> Recording:
        """Stop sampling; waits for the counter moves that close the last windows (about 0.1 s)."""
        if self._recorder is not None:
            self._recorder.stop()
        if self._journal is not None:
            self._journal.stop()
        close_meters(self._opened_here)
        return self

    def __enter__(self) -> Recording:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def begin(self, name: str) -> None:
        """Open a window now."""
        self._running().begin(name)

    def end(
        self, name: str, *, iteration_count: int | None = None, item_count: int | None = None
    ) -> None:
        """Close the window of that name that was opened last, by this thread if it opened one."""
        self._running().end(name, iteration_count=iteration_count, item_count=item_count)

    def window(self, name: str) -> AbstractContextManager[None]:
        """Record the enclosed code as one window."""
        return self._running().window(name)

    def __getitem__(self, name: str) -> WindowEnergy:
        """All windows of that name together; `KeyError` where none was opened."""
        if self._running().stopped_s is None:
            return self.energies([name])[0]
        if name not in self._settled:
            # Together they cost little more than one by one, and all are asked for as a rule: of
            # many windows, those of the first name alone, and with the second name all.
            alone = not self._settled and len(self.windows) > FEW_WINDOWS
            self._settled.update((e.name, e) for e in self.energies([name] if alone else None))
        return self._settled[name]

    def energies(self, names: Sequence[str] | None = None) -> tuple[WindowEnergy, ...]:
        """Several names, or all, inferred together: quicker than one by one."""
        if names is not None:
            return self._infer(names, [self._running().windows_named(name) for name in names])
        by_name: dict[str, list[Window]] = {}
        for window in self.windows:
            by_name.setdefault(window.name, []).append(window)
        return self._infer(list(by_name), [tuple(windows) for windows in by_name.values()])

    @property
    def total(self) -> WindowEnergy:
        """From start to stop, or to now."""
        recorder = self._running()
        started_s = recorder.started_s or 0.0
        whole = Window(name=WHOLE, start_s=started_s, end_s=recorder.now_s)
        return self._infer([WHOLE], [(whole,)])[0]

    @property
    def windows(self) -> tuple[Window, ...]:
        """All windows so far."""
        return self._running().windows()

    @property
    def traces(self) -> tuple[Trace, ...]:
        """What every channel saw so far."""
        return self._running().traces()

    @property
    def now_s(self) -> float:
        """The last instant that this recording knows of, on CLOCK_MONOTONIC."""
        return self._running().now_s

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be known about the recording as a whole."""
        return tuple(dict.fromkeys((*self.own_findings, *self.total.findings)))

    @property
    def own_findings(self) -> tuple[Finding, ...]:
        """What is to be known apart from any window: sensors not opened, things not kept."""
        found = list(self.opening_findings)
        if self._running().dropped_count:
            found.append(windows_forgotten(self._running().dropped_count))
        found += [not_recorded(*failure) for failure in self._running().unsampled.items()]
        if self._journal is not None and self._journal.failure is not None:
            found.append(journal_ended(self._journal.failure))
        return tuple(dict.fromkeys(found))

    @property
    def recorder(self) -> Recorder:
        """What samples; a `UsageError` before the start, and in a copy."""
        running = self._running()
        if isinstance(running, PastRecorder):
            raise only_readable()
        return running

    @property
    def journal(self) -> Journal | None:
        """Its file while it runs, where it keeps one."""
        return self._journal

    def __getstate__(self) -> dict[str, Any]:
        """What was seen until now: a pickle or a copy can be read, and records nothing more."""
        recorder = None if self._recorder is None else PastRecorder.of(self._recorder)
        return {
            **self.__dict__,
            "_meters": None,
            "_clock": None,
            "_recorder": recorder,
            "_journal": None,
            "_opened_here": (),
            "opening_findings": self.opening_findings if recorder is None else self.own_findings,
        }

    def _running(self) -> Recorder | PastRecorder:
        if self._recorder is None:
            raise UsageError(
                "this recording has not been started",
                hint="use `with profiler.record() as recording:` or call start()",
            )
        return self._recorder

    def _infer(
        self, names: Sequence[str], targets: Sequence[tuple[Window, ...]]
    ) -> tuple[WindowEnergy, ...]:
        from profiler.inference import infer_energies
        from profiler.inference.excerpt import MARGIN_S, excerpt

        recorder = self._running()
        recorder.await_first_moves()
        now_s = recorder.now_s
        traces = recorder.traces()
        moves = [len(trace.earliest_s) for trace in traces if isinstance(trace, CounterTrace)]
        asked = [window for target in targets for window in target]
        if max(moves, default=0) <= MANY_MOVES and recorder.window_count <= MANY_WINDOWS:
            windows = recorder.windows()
        else:
            traces, windows = excerpt(traces, asked), recorder.windows_beside(asked, MARGIN_S)
        energies = infer_energies(traces, targets, windows, now_s=now_s)
        return tuple(
            self._result(name, target, energy, now_s)
            for name, target, energy in zip(names, targets, energies, strict=True)
        )

    def _result(
        self, name: str, target: tuple[Window, ...], energy: TargetEnergy, now_s: float
    ) -> WindowEnergy:
        findings = [*self.own_findings, *energy.findings]
        if self._running().forked:
            findings.append(forked())
        elif energy.energy_j is None and not energy.devices:
            findings.append(no_sensor())
        return energy_of(name, target, energy, now_s, findings)


def record(
    meters: Sequence[OpenMeter] | None = None,
    *,
    clock: Clock | None = None,
    wait: bool = False,
    journal: Path | str | None = None,
    sensors: Sequence[str] | str | None = None,
    without: Sequence[str] | str = (),
) -> Recording:
    """Make a recording; use it with `with`, or call `.start()` and `.stop()`. See `Recording`.

    `sensors` are used alone, and `without` are left out: by meter ("rapl"), family ("gpu"), device
    ("gpu:1") or channel ("gpu:1:power"), as in `--sensors` and `--without`.
    """
    choice = sensor_choice(sensors, without) if sensors is not None or without else None
    return Recording(meters, clock=clock, wait=wait, journal=journal, choice=choice)
