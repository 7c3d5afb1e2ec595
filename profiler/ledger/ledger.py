"""The ledger of a run while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from profiler.errors import UsageError
from profiler.machine.carbon import carbon_factors
from profiler.machine.meters_in_use import in_use, open_sensors
from profiler.meters import OpenMeter, close_meters
from profiler.meters.clock import Clock
from profiler.recording.live_total import RunningTotal
from profiler.recording.recorder import Recorder
from profiler.recording.recording import Recording
from profiler.values.estimate import Estimate
from profiler.values.profile import CarbonFactors

from .accounts import Account, accounts_of, close, close_unsettled
from .entries import ENDINGS, RUNNING, LedgerSummary, Tally
from .findings import unwritten
from .ledger_file import LedgerFile, LinesInMemory, journal_name, ledger_path
from .lines import Note, SegmentStart, Settlement, plain
from .phases import PhaseWindows
from .reading import close_killed, free_segment
from .settlement import Seen, seen_by
from .settler import PROMPT, SELDOM, Settler
from .summary import summarise
from .sums import Part, join


def nothing() -> None:
    """Wait for no device: the CPU has none to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """What a ledger has once it is started."""

    start: SegmentStart
    recording: Recording
    windows: PhaseWindows
    settler: Settler
    total: RunningTotal

    @property
    def recorder(self) -> Recorder:
        return self.recording.recorder


class Ledger:
    """Records what a job draws, phase by phase; in a folder it is appended while the job goes on.

    A run that is started again in the same folder opens a new segment of the same ledger. A child
    that a data loader forks writes nothing. Without a folder the ledger is in memory: what is past
    is settled promptly, phases too many and too short to be told apart are settled together, and
    what lies between phases is in the whole alone.

    Args:
        folder: of the run; it exists. None for a ledger in memory.
        recipe: what is trained, written into the ledger for whoever reads it.
        epochs: how many the whole run is to have.
        carbon: factors from joules to grams; by default those that are assumed.
        host: number of this machine among those that train together.
        host_count: how many these are.
        meters: opened meters, which the caller closes; by default every sensor that this process
            may see, and CodeCarbon's model beside them.
        devices: the GPUs in use ("gpu:0", ...), whose joules count; None for all. Whatever else
            the sensors see is the host's, and always counts.
        clock: what time it is.
        recording: in memory, instead of `meters` and `clock`; not yet started.
        synchronize: waits until the device has done what it was given; called at both edges of a
            phase.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        recipe: Mapping[str, Any] | None = None,
        epochs: int = 0,
        carbon: CarbonFactors | None = None,
        host: int = 0,
        host_count: int = 1,
        meters: Sequence[OpenMeter] | None = None,
        devices: Sequence[str] | None = None,
        clock: Clock | None = None,
        recording: Recording | None = None,
        synchronize: Callable[[], None] = nothing,
    ) -> None:
        self._folder, self._host, self._host_count = folder, host, host_count
        self._recipe, self._epochs, self._carbon = recipe or {}, epochs, carbon
        self._meters, self._devices, self._clock = meters, devices, clock
        self._recording, self._synchronize = recording, synchronize
        self._file = LinesInMemory() if folder is None else LedgerFile(ledger_path(folder, host))
        self._opened_here: Sequence[OpenMeter] = ()
        self._earlier: list[Part] = []
        self._now: _Running | None = None

    def start(self) -> Ledger:
        """Open the sensors and a new segment; returns in well under a second.

        Raises:
            UsageError: it has been started before.
            StoreError: the folder cannot be written, another process is training in it, or the
                ledger in it cannot be read.
        """
        if self._now is not None:
            raise UsageError("this ledger has been started before", hint="make a new one")
        number, journal = 0, None
        try:
            if isinstance(self._file, LedgerFile) and self._folder is not None:
                self._file.open()
                earlier = close_killed(self._file, self._folder)
                number = free_segment(earlier, self._folder, self._host)
                journal = self._folder / journal_name(number, self._host)
                self._earlier = [account.part for account in earlier if account.end is not None]
            self._begin(number, journal)
        except BaseException:
            close_meters(self._opened_here)
            self._file.close()
            raise
        return self

    def _begin(self, number: int, journal: Path | None) -> None:
        recording = self._recording or self._make_recording(journal)
        recorder = recording.start().recorder
        start = SegmentStart(
            segment=number,
            host=self._host,
            started_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            started_s=recorder.started_s or 0.0,
            epochs=self._epochs,
            carbon=self._carbon or carbon_factors(),
            journal="" if journal is None else journal.name,
            host_count=self._host_count,
            recipe={name: str(value) for name, value in self._recipe.items()},
            findings=recording.opening_findings,
        )
        self._file.append(start)
        windows = PhaseWindows(recorder)
        self._now = _Running(
            start=start,
            recording=recording,
            windows=windows,
            settler=Settler(start, recorder, windows, PROMPT if journal is None else SELDOM),
            total=RunningTotal(start.started_s),
        )

    def _make_recording(self, journal: Path | None) -> Recording:
        if self._meters is not None:
            return self._new_recording(in_use(self._meters, self._devices), journal)
        opened = open_sensors(self._devices)
        self._opened_here = opened.meters
        recording = self._new_recording(opened.meters, journal)
        recording.opening_findings = opened.findings
        return recording

    def _new_recording(self, meters: Sequence[OpenMeter], journal: Path | None) -> Recording:
        return Recording(meters, clock=self._clock, journal=journal)

    def stop(self, ended: str = "finished") -> None:
        """End the segment: settle what is left, and the whole of it; a second call does nothing.

        Args:
            ended: how it came to its end, one of `ENDINGS`.
        """
        if ended not in ENDINGS:
            raise UsageError(f"a segment ends as one of {', '.join(ENDINGS)}, not as {ended!r}")
        recorder = self._running().recorder
        if recorder.stopped_s is not None or recorder.forked:
            return
        self.abandon()
        closed = self._closed(ended)
        if closed.end is not None:
            self._file.append(*closed.settled[len(self._account().settled) :], closed.end)
        self._file.close()

    def abandon(self) -> None:
        """Record no more, and infer nothing."""
        self._running().recording.stop()
        close_meters(self._opened_here)

    def __enter__(self) -> Ledger:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.stop()
        else:
            self.stop("failed" if issubclass(kind, Exception) else "interrupted")

    @contextmanager
    def phase(self, phase: str, epoch: int | None = None) -> Iterator[Tally]:
        """Record the enclosed code as a phase, however it ends; what is in none is `OTHER`.

        Raises:
            UsageError: another phase is open: an instant belongs to one phase.
        """
        windows = self._running().windows
        windows.check_between(phase, epoch)
        self._synchronize()
        windows.begin(phase, epoch)
        tally = Tally()
        try:
            yield tally
            self._synchronize()
        finally:
            windows.end(tally.item_count or None)

    @property
    def phases(self) -> PhaseWindows:
        """Opens and closes phases one by one, where no `with` can enclose them."""
        return self._running().windows

    def note_epoch(self, epoch: int, **metrics: float | None) -> None:
        """Note that an epoch is done, and what it came to; a value that is not finite becomes None.

        With several hosts each of them notes its epochs.
        """
        running = self._running()
        note = Note(
            segment=running.start.segment,
            epoch=epoch,
            time_s=running.recorder.now_s,
            metrics=plain(metrics),
        )
        self._file.append(note)
        running.settler.note(note)

    def settle(self, *, force: bool = False) -> Settlement | None:
        """Infer and append what is past, if it is time for it; call it after every epoch.

        It waits, unless forced, until the `SettlingBudget` has room: meanwhile the readings are
        kept. Returns what this call has settled; None where nothing.
        """
        running = self._running()
        if running.recorder.forked or running.recorder.stopped_s is not None:
            return None
        settlement = running.settler.settle(force=force)
        if settlement is not None:
            self._file.append(settlement)
        return settlement

    @property
    def joules_so_far(self) -> Estimate | None:
        """Joules of all segments on this host until now, cheaply; None where no sensor tells."""
        running, now_s = self._running(), self._running().recorder.now_s
        own_j = running.total.follow(running.recorder).energy_j(now_s)
        return join([*self._earlier, (own_j, now_s - running.start.started_s)])

    @property
    def power_w(self) -> Estimate | None:
        """Power of the last seconds, cheaply; None where no sensor tells."""
        running = self._running()
        return running.total.follow(running.recorder).power_w(running.recorder.now_s)

    def summary(self) -> LedgerSummary:
        """All segments of this host until now; while it runs, nothing is written by this."""
        found = summarise([*accounts_of(self._file.lines())[:-1], self.account()])
        if self._file.failure is None:
            return found
        return replace(found, findings=(*found.findings, unwritten(self._file.failure)))

    def account(self, *, thrifty: bool = False) -> Account:
        """The segment of this process: as it ended, or as it is known now.

        Args:
            thrifty: where settling has cost all that it may, infer nothing of a running segment:
                its joules are those of the latest readings, and what is not settled has none.
        """
        running = self._running()
        if running.recorder.stopped_s is not None:
            return self._account()
        if thrifty and running.settler.has_spent_all:
            now_s, findings = running.recorder.now_s, running.recording.own_findings
            return close_unsettled(self._account(), self.joules_so_far, now_s, findings)
        with running.windows.aside():
            return self._closed(RUNNING)

    def _account(self) -> Account:
        return accounts_of(self._file.lines())[-1]

    def _closed(self, ended: str) -> Account:
        findings, most = self._running().recording.own_findings, self._running().settler.most
        with self._running().settler.spending():
            return close(self._account(), self.seen(), ended=ended, findings=findings, most=most)

    def seen(self) -> Seen:
        return seen_by(self._running().recorder)

    def _running(self) -> _Running:
        if self._now is None:
            hint = "use `with Ledger(...) as ledger:`"
            raise UsageError("this ledger has not been started", hint=hint)
        return self._now
