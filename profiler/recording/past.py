"""What a recorder saw, without its threads and sensors: for a pickle, or a copy."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from profiler.errors import UsageError
from profiler.values.trace import Channel, CounterTrace, PowerTrace, Trace, Window

from .recorder import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRecorder:
    """A recorder that has ended, as far as a reader can tell."""

    seen: tuple[Trace, ...]
    opened: tuple[Window, ...]
    started_s: float
    stopped_s: float
    forked: bool
    dropped_count: int
    unsampled: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, recorder: Recorder | PastRecorder) -> PastRecorder:
        """What a recorder has seen until now."""
        if isinstance(recorder, PastRecorder):
            return recorder
        now_s = recorder.now_s
        return cls(
            seen=recorder.traces(),
            opened=tuple(
                replace(w, end_s=now_s) if w.end_s is None else w for w in recorder.windows()
            ),
            started_s=now_s if recorder.started_s is None else recorder.started_s,
            stopped_s=now_s,
            forked=recorder.forked,
            dropped_count=recorder.dropped_count,
            unsampled=dict(recorder.unsampled),
        )

    @property
    def now_s(self) -> float:
        """When it ended."""
        return self.stopped_s

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What was sampled."""
        return tuple(trace.channel for trace in self.seen)

    def windows(self) -> tuple[Window, ...]:
        """All windows, in the order in which they were opened."""
        return self.opened

    @property
    def window_count(self) -> int:
        """How many there are."""
        return len(self.opened)

    def windows_named(self, name: str) -> tuple[Window, ...]:
        """Those of one name, in the order in which they were opened; `KeyError` without any."""
        found = tuple(window for window in self.opened if window.name == name)
        if not found:
            raise KeyError(name)
        return found

    def windows_beside(self, targets: Sequence[Window], margin_s: float) -> tuple[Window, ...]:
        """Those that begin or end within so many seconds of an edge of a target."""
        from profiler.inference.excerpt import beside

        return beside(self.opened, targets, margin_s)

    def traces(self, after_s: Mapping[str, float] | None = None) -> tuple[Trace, ...]:
        """What every channel saw, or what it saw after an instant, by channel key."""
        return tuple(
            _after(trace, (after_s or {}).get(trace.channel.key, -math.inf)) for trace in self.seen
        )

    def await_first_moves(self) -> None:
        """No more moves will come."""

    def stop(self) -> None:
        """It has ended."""

    def begin(self, name: str) -> None:
        """No window can be opened any more."""
        raise only_readable()

    def end(
        self, name: str, *, iteration_count: int | None = None, item_count: int | None = None
    ) -> None:
        """No window is open."""
        raise UsageError(f"no window named {name!r} is open in this copy of a recording")

    @contextmanager
    def window(self, name: str) -> Iterator[None]:
        """No window can be opened any more."""
        self.begin(name)
        yield


def only_readable() -> UsageError:
    """The error of whoever wants to record with a copy."""
    return UsageError(
        "this is a copy of a recording, which can only be read",
        hint="make a new recording with profiler.record()",
    )


def _after(trace: Trace, after_s: float) -> Trace:
    if after_s == -math.inf:
        return trace
    if isinstance(trace, PowerTrace):
        first = bisect_right(trace.time_s, after_s)
        return replace(trace, time_s=trace.time_s[first:], power_w=trace.power_w[first:])
    return _moves_after(trace, bisect_right(trace.latest_s, after_s))


def _moves_after(trace: CounterTrace, first: int) -> CounterTrace:
    return replace(
        trace,
        earliest_s=trace.earliest_s[first:],
        latest_s=trace.latest_s[first:],
        energy_j=trace.energy_j[first:],
        epoch=trace.epoch[first:],
    )
