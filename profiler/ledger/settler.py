"""When a running segment is settled, up to where, and how many of its phases can be told apart."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from profiler.recording.recorder import Recorder
from profiler.values.trace import CounterTrace, Trace, Window

from .entries import Phase
from .lines import Note, SegmentStart, Settlement
from .phases import PhaseWindows
from .settlement import Seen, Span, is_second_opinion, load_estimator, neighbourhood_s, settle
from .stretches import phase_of

PHASE_COST_S = 0.02
"""What settling a phase is taken to cost until that is known: the CPU time of one thread."""
LOADING_COST_S = 0.5
"""The same of loading the estimator, once."""
PATIENCE_S = 3.0
"""How long to wait for the counter moves that follow the last phase."""
MOST_PENDING = 20_000
"""Phases after which settling is due at any cost, before the recorder forgets the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlingBudget:
    """What settling may cost.

    Args:
        share: of the time that the segment takes, in CPU seconds of one thread.
        first_s: CPU seconds that may be spent besides.
        pause_s: least time between two settlements: ten epochs at once cost little more than one.
        told_apart: how many phases are told apart in any case, where more than can be afforded are
            settled together; None where each phase is told for itself, whatever it costs.
    """

    share: float
    first_s: float = 0.0
    pause_s: float = 0.0
    told_apart: int | None = None


SELDOM = SettlingBudget(share=0.003, pause_s=120.0)
"""For a ledger on disk: its journal keeps everything that is needed meanwhile."""
PROMPT = SettlingBudget(share=0.005, first_s=LOADING_COST_S + 0.3, told_apart=8)
"""For joules that are logged while the job runs, and for jobs of seconds."""


class Settler:
    """Settles closed phases of one segment, seldom enough to be cheap.

    Args:
        start: of the segment.
        recorder: running.
        windows: of its phases; there are no others in it.
        budget: how cheap that is.
    """

    def __init__(
        self, start: SegmentStart, recorder: Recorder, windows: PhaseWindows, budget: SettlingBudget
    ) -> None:
        self._start, self._recorder, self._windows = start, recorder, windows
        self._budget = budget
        self._until_s = start.started_s
        self._spent_s = LOADING_COST_S
        self._phases_spent_s, self._settled_count = 0.0, 0
        self._near: dict[int, Window] = {}
        self._notes: list[Note] = []

    def note(self, note: Note) -> None:
        """Take in a note, to be told how many joules led up to it."""
        self._notes.append(note)

    @property
    def most(self) -> int | None:
        """How many phases can still be told apart; None for all."""
        if self._budget.told_apart is None:
            return None
        affordable = (self._budget_s - self._spent_s) / self._phase_cost_s
        return max(self._budget.told_apart, int(affordable))

    @property
    def has_spent_all(self) -> bool:
        """Whether nothing more can be inferred for what it may cost."""
        return self._spent_s + self._phase_cost_s > self._budget_s

    @contextmanager
    def spending(self, phase_count: int = 0) -> Iterator[None]:
        """Count what the enclosed inference costs; of so many phases alone, if it is of any."""
        load_estimator()
        begun_s = time.thread_time()
        yield
        spent_s = time.thread_time() - begun_s
        self._spent_s += spent_s
        if phase_count:
            self._phases_spent_s += spent_s
            self._settled_count += phase_count

    def settle(self, *, force: bool = False) -> Settlement | None:
        """Settle the phases whose closing counter moves have come; None where it is not time yet.

        Called after an epoch, it leaves the epoch's last phase for the next time. A phase of an
        epoch is settled with all of its stretches, or not yet.
        """
        pending = self._pending()
        if not pending or not (force or self._is_due(len(pending))):
            return None
        with self._windows.aside():
            return self._settle_told()

    def _settle_told(self) -> Settlement | None:
        pending = self._pending()
        now_s, traces = self._recorder.clock.now_s(), self._near_traces()
        known_s = max(_told_until_s(traces), now_s - PATIENCE_S)
        ended = [
            window
            for window in pending
            if _ends_by(window, known_s) and window.name != self._windows.present
        ]
        numbers = {id(window) for window in ended}
        later = [w for w in self._near.values() if id(w) not in numbers]
        told = _unbroken(ended, [w for w in later if not _ends_by(w, self._until_s)])
        if not told:
            return None
        until_s = max(window.end_s or 0.0 for window in told)
        seen = Seen(traces=traces, windows=tuple(self._near.values()), now_s=now_s)
        span = Span(
            segment=self._start.segment,
            host=self._start.host,
            from_s=self._until_s,
            until_s=until_s,
        )
        with self.spending(len(told)):
            settlement = settle(seen, span, self._notes, self.most)
        self._until_s = until_s
        self._forget(seen.traces)
        return settlement

    def _pending(self) -> list[Window]:
        """Closed phases that are not settled; those around them are kept as their neighbours.

        The recorder numbers its windows, so that only the new ones are looked at.
        """
        newest = max(self._near, default=-1)
        still_open = [number for number, window in self._near.items() if window.end_s is None]
        self._near |= self._recorder.windows_since(newest + 1, still_open)
        return [
            window
            for window in self._near.values()
            if window.end_s is not None
            and window.end_s > self._until_s
            # What lies between phases may still turn out to have been one.
            and window.name != Phase.OTHER
        ]

    @property
    def _phase_cost_s(self) -> float:
        if not self._settled_count:
            return PHASE_COST_S
        return max(self._phases_spent_s / self._settled_count, 1e-6)

    @property
    def _passed_s(self) -> float:
        return self._recorder.now_s - self._start.started_s

    @property
    def _budget_s(self) -> float:
        return self._budget.first_s + self._budget.share * self._passed_s

    def _is_due(self, pending: int) -> bool:
        """Whether all settlements together, with this one, stay below their share of the time."""
        if self._recorder.now_s - self._until_s < self._budget.pause_s:
            return False
        cost_s = self._spent_s + self._phase_cost_s * pending
        return cost_s <= self._budget_s or pending >= MOST_PENDING

    def _near_traces(self) -> tuple[Trace, ...]:
        after_s = {
            channel.key: self._until_s - neighbourhood_s(channel)
            for channel in self._recorder.channels
        }
        return self._recorder.traces(after_s)

    def _forget(self, traces: Sequence[Trace]) -> None:
        """Drop what lies too far back to be a neighbour of what is to come."""
        reach_s = max((neighbourhood_s(trace.channel) for trace in traces), default=0.0)
        oldest_s = self._until_s - reach_s
        newest = max(self._near)
        self._near = {
            number: window
            for number, window in self._near.items()
            if number == newest or window.end_s is None or window.end_s >= oldest_s
        }
        self._notes = [note for note in self._notes if note.time_s > self._until_s]


def _unbroken(told: list[Window], left: list[Window]) -> list[Window]:
    """The windows before any phase of an epoch of which there is a stretch among those left."""
    while True:
        broken = {window.name for window in left if phase_of(window.name)[1] is not None}
        begun_s = [window.start_s for window in told if window.name in broken]
        if not begun_s:
            return told
        left = [window for window in told if not _ends_by(window, min(begun_s))]
        told = [window for window in told if _ends_by(window, min(begun_s))]


def _ends_by(window: Window, instant_s: float) -> bool:
    return window.end_s is not None and window.end_s <= instant_s


def _told_until_s(traces: Sequence[Trace]) -> float:
    """The instant up to which every sensor has told what it saw."""
    told_s = [math.inf]
    for trace in traces:
        if is_second_opinion(trace):
            continue
        if isinstance(trace, CounterTrace):
            told_s.append(trace.earliest_s[-1] if trace.earliest_s else -math.inf)
        else:
            told_s.append(-math.inf if trace.last_seen_s is None else trace.last_seen_s)
    return min(told_s)
