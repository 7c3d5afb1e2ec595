"""The ledger of a run while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from profiler.errors import UsageError
from profiler.machine.meters_in_use import in_use, open_sensors
from profiler.meters import OpenMeter, close_meters
from profiler.meters.clock import Clock, MonotonicClock
from profiler.recording.journal import Journal
from profiler.recording.live_total import RunningTotal
from profiler.recording.recorder import Recorder
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding, journal_ended
from profiler.values.profile import CarbonFactors

from .accounts import Account, accounts_of, close
from .entries import ENDINGS, RUNNING, LedgerSummary, Phase, Tally
from .findings import unwritten
from .ledger_file import LedgerFile, journal_name, ledger_path
from .reading import close_killed, free_segment
from .records import Note, SegmentStart, plain
from .settlement import Seen
from .settler import Settler
from .stretches import window_name
from .summary import summarise
from .sums import Part, join

REFRESH_S = 0.2


def nothing() -> None:
    """Wait for no device: the CPU has none to wait for."""


class Ledger:
    """Records what a training run draws, phase by phase, and appends it while the run goes on.

    A run that is started again in the same folder opens a new segment of the same ledger. A child
    that a data loader forks writes nothing.

    Args:
        folder: of the run; it exists.
        recipe: what is trained, written into the ledger for whoever reads it.
        epochs: how many the whole run is to have.
        carbon: factors from joules to grams.
        host: number of this machine among those that train together.
        host_count: how many these are.
        meters: opened meters, which the caller closes; by default every sensor that this process
            may see, and CodeCarbon's model beside them.
        devices: the GPUs in use ("gpu:0", ...), whose joules count; None for all. Whatever else
            the sensors see is the host's, and always counts.
        clock: what time it is.
        synchronize: waits until the device has done what it was given; called at both edges of a
            phase.
    """

    def __init__(
        self,
        folder: Path,
        *,
        recipe: Mapping[str, Any],
        epochs: int,
        carbon: CarbonFactors,
        host: int = 0,
        host_count: int = 1,
        meters: Sequence[OpenMeter] | None = None,
        devices: Sequence[str] | None = None,
        clock: Clock | None = None,
        synchronize: Callable[[], None] = nothing,
    ) -> None:
        self._folder, self._host, self._host_count = folder, host, host_count
        self._recipe, self._epochs, self._carbon = recipe, epochs, carbon
        self._meters, self._devices = meters, devices
        self._clock = clock or MonotonicClock()
        self._synchronize = synchronize
        self._file = LedgerFile(ledger_path(folder, host))
        self._opened_here: Sequence[OpenMeter] = ()
        self._recorder: Recorder | None = None
        self._journal: Journal | None = None
        self._settler: Settler | None = None
        self._phase: str | None = None
        self._segment = 0
        self._earlier: list[Part] = []
        self._total: RunningTotal | None = None
        self._looked_s = float("-inf")

    def start(self) -> Ledger:
        """Open the sensors and a new segment; returns in well under a second.

        Raises:
            UsageError: it has been started before.
            StoreError: the folder cannot be written, another process is training in it, or the
                ledger in it cannot be read.
        """
        if self._recorder is not None:
            raise UsageError("this ledger has been started before", hint="make a new one")
        self._file.open()
        try:
            earlier = close_killed(self._file, self._folder)
            self._begin(earlier)
        except BaseException:
            self._file.close()
            raise
        return self

    def _begin(self, earlier: Sequence[Account]) -> None:
        self._segment = free_segment(earlier, self._folder, self._host)
        meters, findings = self._open_meters()
        recorder = self._make_recorder(meters).start()
        self._recorder, started_s = recorder, recorder.started_s or 0.0
        name = journal_name(self._segment, self._host)
        try:
            self._journal = Journal(self._folder / name, recorder).start()
        except BaseException:
            recorder.stop()
            close_meters(self._opened_here)
            raise
        start = SegmentStart(
            segment=self._segment,
            host=self._host,
            started_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            started_s=started_s,
            epochs=self._epochs,
            carbon=self._carbon,
            journal=name,
            host_count=self._host_count,
            recipe={name: str(value) for name, value in self._recipe.items()},
            findings=findings,
        )
        self._file.append(start)
        self._earlier = [
            (account.end.energy_j, account.end.until_s - account.start.started_s)
            for account in earlier
            if account.end is not None
        ]
        self._settler = Settler(start, recorder, self._clock)
        self._total = RunningTotal(started_s)

    def _open_meters(self) -> tuple[Sequence[OpenMeter], tuple[Finding, ...]]:
        if self._meters is not None:
            return in_use(self._meters, self._devices), ()
        opened = open_sensors(self._devices)
        self._opened_here = opened.meters
        return opened.meters, opened.findings

    def _make_recorder(self, meters: Sequence[OpenMeter]) -> Recorder:
        return Recorder(meters, clock=self._clock)

    def stop(self, ended: str = "finished") -> None:
        """End the segment: settle what is left, and the whole of it; a second call does nothing.

        Args:
            ended: how it came to its end, one of `ENDINGS`.
        """
        if ended not in ENDINGS:
            raise UsageError(f"a segment ends as one of {', '.join(ENDINGS)}, not as {ended!r}")
        recorder, journal = self._running()
        if recorder.stopped_s is not None or recorder.forked:
            return
        recorder.stop()
        journal.stop()
        close_meters(self._opened_here)
        closed = self._closed(ended)
        if closed.end is not None:
            self._file.append(*closed.settled[len(self._account().settled) :], closed.end)
        self._file.close()

    def __enter__(self) -> Ledger:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self.stop("failed" if issubclass(kind, Exception) else "interrupted")

    @contextmanager
    def phase(self, phase: Phase, epoch: int | None = None) -> Iterator[Tally]:
        """Record the enclosed code as a phase, however it ends; what is in none is `OTHER`.

        Raises:
            UsageError: another phase is open: an instant belongs to one phase.
        """
        recorder, _ = self._running()
        name = window_name(phase, epoch)
        if self._phase is not None:
            raise UsageError(f"the phase {name!r} cannot begin inside {self._phase!r}")
        self._synchronize()
        recorder.begin(name)
        self._phase = name
        tally = Tally()
        try:
            yield tally
            self._synchronize()
        finally:
            self._phase = None
            if recorder.stopped_s is None:
                recorder.end(name, item_count=tally.item_count or None)

    def note_epoch(self, epoch: int, **metrics: float | None) -> None:
        """Note that an epoch is done, and what it came to; a value that is not finite becomes None.

        With several hosts each of them notes its epochs.
        """
        recorder, _ = self._running()
        note = Note(
            segment=self._segment,
            epoch=epoch,
            time_s=recorder.now_s,
            metrics=plain(metrics),
        )
        self._file.append(note)
        if self._settler is not None:
            self._settler.note(note)

    def settle(self, *, force: bool = False) -> None:
        """Infer and append what is past, if it is time for it; call it after every epoch.

        It waits until a settlement costs less than 0.3 % of the time since the last one: meanwhile
        the journal keeps everything that is needed.

        Args:
            force: settle whatever it costs.
        """
        recorder, _ = self._running()
        if self._settler is None or recorder.forked or recorder.stopped_s is not None:
            return
        settlement = self._settler.settle(force=force)
        if settlement is not None:
            self._file.append(settlement)

    @property
    def joules_so_far(self) -> Estimate | None:
        """Joules of all segments on this host until now, cheaply; None where no sensor tells."""
        recorder, _ = self._running()
        total = self._look()
        running_s = recorder.now_s - (recorder.started_s or 0.0)
        return join([*self._earlier, (total.energy_j(recorder.now_s), running_s)])

    @property
    def power_w(self) -> Estimate | None:
        """Power of the last seconds, cheaply; None where no sensor tells."""
        return self._look().power_w(self._running()[0].now_s)

    def _look(self) -> RunningTotal:
        """The running total, with the latest readings."""
        recorder, _ = self._running()
        assert self._total is not None
        now_s = self._clock.now_s()
        if now_s - self._looked_s >= REFRESH_S:
            self._looked_s = now_s
            self._total.feed(recorder.traces(self._total.seen_s))
        return self._total

    def summary(self) -> LedgerSummary:
        """All segments of this host until now; while it runs, nothing is written by this."""
        recorder, _ = self._running()
        accounts = list(accounts_of(self._file.records()))
        if recorder.stopped_s is None:
            accounts[-1] = self._closed(RUNNING)
        found = summarise(accounts)
        if self._file.failure is None:
            return found
        return replace(found, findings=(*found.findings, unwritten(self._file.failure)))

    def _account(self) -> Account:
        return accounts_of(self._file.records())[-1]

    def _closed(self, ended: str) -> Account:
        _, journal = self._running()
        findings = () if journal.failure is None else (journal_ended(journal.failure),)
        return close(self._account(), self.seen(), ended=ended, findings=findings)

    def seen(self) -> Seen:
        """Everything that this segment has recorded until now."""
        recorder, _ = self._running()
        return Seen(traces=recorder.traces(), windows=recorder.windows(), now_s=recorder.now_s)

    def _running(self) -> tuple[Recorder, Journal]:
        if self._recorder is None or self._journal is None:
            raise UsageError(
                "this ledger has not been started", hint="use `with Ledger(...) as ledger:`"
            )
        return self._recorder, self._journal
