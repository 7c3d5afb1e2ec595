"""RECORD: sampling threads that log what the meters see, and the windows that the caller opens.

The caller's loop only appends a timestamp: it never reads a sensor, never takes a lock that a read
may hold, and never waits, unless it asks to (`wait=True`).
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .clock import Clock, MonotonicClock
from .errors import UsageError
from .meters.base import Meter
from .sampler import MeterSampler
from .trace import Channel, Trace, Window

LONGEST_SLEEP_S = 0.1

OpenMeter = tuple[Meter, tuple[Channel, ...]]


@dataclass(slots=True)
class _Span:
    """A window that is still growing."""

    name: str
    start_s: float
    thread_id: int
    end_s: float | None = None
    iteration_count: int | None = None
    item_count: int | None = None

    def frozen(self) -> Window:
        return Window(
            name=self.name,
            start_s=self.start_s,
            end_s=self.end_s,
            iteration_count=self.iteration_count,
            item_count=self.item_count,
        )


_alive: weakref.WeakSet[Recorder] = weakref.WeakSet()


class Recorder:
    """Samples meters in the background between `start` and `stop`.

    Args:
        meters: opened meters with the channels to read; each meter gets a thread of its own.
        clock: what time it is.
        wait: whether closing a window blocks until the counter move that settles it has come.
    """

    def __init__(
        self, meters: Sequence[OpenMeter], *, clock: Clock | None = None, wait: bool = False
    ) -> None:
        self.clock = clock or MonotonicClock()
        self.started_s: float | None = None
        self.stopped_s: float | None = None
        self.forked = False
        self._wait = wait
        self._samplers = [MeterSampler(meter, chans, self.clock) for meter, chans in meters]
        self._wakes = [threading.Event() for _ in self._samplers]
        self._threads: list[threading.Thread] = []
        self._spans: list[_Span] = []
        self._open: dict[str, list[_Span]] = {}
        self._spans_lock = threading.Lock()
        self._stopping = False

    def start(self) -> Recorder:
        """Begin to sample; returns at once."""
        if self.started_s is not None:
            raise UsageError("this recording has been started before", hint="make a new one")
        self.started_s = self.clock.now_s()
        _alive.add(self)
        for sampler, wake in zip(self._samplers, self._wakes, strict=True):
            thread = threading.Thread(
                target=self._sample, args=(sampler, wake), name="wattprof", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return self

    def stop(self) -> None:
        """Stop sampling, once the moves that settle the closed windows have come.

        This may take one update period of the slowest counter (100 ms on most GPUs), at most a
        second. Windows that are still open are closed. A second call does nothing.
        """
        if self.stopped_s is not None or self.started_s is None:
            return
        now_s = self.clock.now_s()
        with self._spans_lock:
            for spans in self._open.values():
                for span in spans:
                    span.end_s = now_s
            self._open.clear()
        if not self.forked:
            self._await_moves(max((span.end_s or now_s for span in self._spans), default=now_s))
        self._stopping = True
        for wake in self._wakes:
            wake.set()
        for thread in self._threads if not self.forked else ():
            thread.join(timeout=2.0)
        self.stopped_s = self.clock.now_s()
        _alive.discard(self)

    def begin(self, name: str) -> None:
        """Open a window now. Windows nest, overlap and repeat as they like."""
        span = _Span(name, self.clock.now_s(), threading.get_ident())
        with self._spans_lock:
            self._spans.append(span)
            self._open.setdefault(name, []).append(span)
        self._hurry()

    def end(
        self, name: str, *, iteration_count: int | None = None, item_count: int | None = None
    ) -> None:
        """Close the window of that name that this thread, or else any thread, opened last."""
        end_s = self.clock.now_s()
        thread_id = threading.get_ident()
        with self._spans_lock:
            spans = self._open.get(name)
            if not spans:
                raise UsageError(
                    f"no window named {name!r} is open", hint=f'open it with begin("{name}")'
                )
            own = [index for index, span in enumerate(spans) if span.thread_id == thread_id]
            span = spans.pop(own[-1] if own else -1)
            span.end_s = end_s
            span.iteration_count = iteration_count
            span.item_count = item_count
        self._hurry()
        if self._wait and not self.forked:
            self._await_moves(end_s)

    @contextmanager
    def window(self, name: str) -> Iterator[None]:
        """Record the enclosed code as one window, however it ends."""
        self.begin(name)
        try:
            yield
        finally:
            self.end(name)

    @property
    def now_s(self) -> float:
        """The last instant that this recording knows of."""
        return self.stopped_s if self.stopped_s is not None else self.clock.now_s()

    def windows(self) -> tuple[Window, ...]:
        """All windows so far, in the order in which they were opened."""
        with self._spans_lock:
            return tuple(span.frozen() for span in self._spans)

    def traces(self) -> tuple[Trace, ...]:
        """What every channel saw so far."""
        return tuple(trace for sampler in self._samplers for trace in sampler.traces())

    def _sample(self, sampler: MeterSampler, wake: threading.Event) -> None:
        while not self._stopping:
            pause_s = sampler.step(self._edges_s) - self.clock.now_s()
            if sampler.streaming:
                wake.wait(max(0.0, pause_s))
                wake.clear()
            elif pause_s > 0:
                # Half the cost of an event's timed wait, and nobody has to wake this thread.
                time.sleep(min(pause_s, LONGEST_SLEEP_S))
        sampler.look_now()

    def _edges_s(self) -> list[float]:
        with self._spans_lock:
            spans = [(span.start_s, span.end_s) for span in self._spans]
        return [edge_s for span in spans for edge_s in span if edge_s is not None]

    def _hurry(self) -> None:
        for sampler, wake in zip(self._samplers, self._wakes, strict=True):
            if sampler.streaming:
                sampler.hurry()
                wake.set()

    def _await_moves(self, until_s: float) -> None:
        """Block until every counter has moved after `until_s`, as long as it is worth waiting."""
        for sampler in self._samplers:
            for channel in sampler.channels:
                give_up_s = until_s + channel.patience_s
                while self.clock.now_s() < give_up_s and not channel.settled(until_s):
                    time.sleep(0.005)


def _after_fork_in_child() -> None:
    """Threads do not survive a fork: a child keeps its windows, and says that nobody sampled."""
    for recorder in list(_alive):
        recorder.forked = True
        recorder._spans_lock = threading.Lock()
        recorder._samplers = []
        recorder._wakes = []


os.register_at_fork(after_in_child=_after_fork_in_child)
