"""When a running segment is settled, and up to where."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from profiler.meters.clock import Clock
from profiler.recording.recorder import Recorder
from profiler.values.trace import CounterTrace, Trace, Window

from .records import Note, SegmentStart, Settlement
from .settlement import Seen, Span, is_second_opinion, load_estimator, neighbourhood_s, settle

SHARE = 0.003
"""Of the time that a run takes, what settling may."""
PHASE_COST_S = 0.02
"""What settling a phase is taken to cost until that is known: the CPU time of one thread."""
LOADING_COST_S = 0.5
"""The same of loading the estimator, once."""
LEAST_PAUSE_S = 120.0
"""Between two settlements: ten epochs at once cost little more than one."""
PATIENCE_S = 3.0
"""How long to wait for the counter moves that follow the last phase."""
MOST_PENDING = 20_000
"""Phases after which settling is due at any cost, before the recorder forgets the first."""


class Settler:
    """Settles closed phases of one segment, seldom enough to be cheap.

    Args:
        start: of the segment.
        recorder: running; it opens no windows but the phases.
        clock: what time it is.
    """

    def __init__(self, start: SegmentStart, recorder: Recorder, clock: Clock) -> None:
        self._start, self._recorder, self._clock = start, recorder, clock
        self._until_s = start.started_s
        self._spent_s, self._settled_count = LOADING_COST_S, 0
        self._near: dict[int, Window] = {}
        self._notes: list[Note] = []

    def note(self, note: Note) -> None:
        """Take in a note, to be told how many joules led up to it."""
        self._notes.append(note)

    def settle(self, *, force: bool = False) -> Settlement | None:
        """Settle the phases whose closing counter moves have come; None where it is not time yet.

        Called after an epoch, it leaves the epoch's last phase for the next time.
        """
        pending = self._pending()
        if not pending or not (force or self._is_due(len(pending))):
            return None
        now_s, traces = self._clock.now_s(), self._near_traces()
        known_s = max(_told_until_s(traces), now_s - PATIENCE_S)
        told = [end_s for window in pending if (end_s := window.end_s or 0.0) <= known_s]
        if not told:
            return None
        until_s = max(told)
        seen = Seen(traces=traces, windows=tuple(self._near.values()), now_s=now_s)
        load_estimator()
        begun_s = time.thread_time()
        span = Span(
            segment=self._start.segment,
            host=self._start.host,
            from_s=self._until_s,
            until_s=until_s,
        )
        settlement = settle(seen, span, self._notes)
        self._spent_s += time.thread_time() - begun_s
        self._settled_count += len(told)
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
        return [w for w in self._near.values() if w.end_s is not None and w.end_s > self._until_s]

    def _is_due(self, pending: int) -> bool:
        """Whether all settlements together, with this one, stay below their share of the time."""
        per_phase_s = PHASE_COST_S
        if self._settled_count:
            per_phase_s = (self._spent_s - LOADING_COST_S) / self._settled_count
        passed_s = self._clock.now_s() - self._start.started_s
        if self._clock.now_s() - self._until_s < LEAST_PAUSE_S:
            return False
        cost_s = self._spent_s + per_phase_s * pending
        return cost_s <= SHARE * passed_s or pending >= MOST_PENDING

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
