"""RECORD: sampling threads that log what the meters see, and the windows that the caller opens.

The caller's loop only appends a timestamp: it never reads a sensor, never takes a lock that a read
may hold, and never waits, unless it asks to (`wait=True`).
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from profiler.errors import UsageError
from profiler.meters import OpenMeter
from profiler.meters.clock import Clock, MonotonicClock
from profiler.values.trace import Channel, Trace, Window

from .sampler import MeterSampler

LONGEST_SLEEP_S = 0.1
AWAIT_STEP_S = 0.005
WINDOW_CAPACITY = 50_000


@dataclass(slots=True)
class _OpenWindow:
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
        self.dropped_count = 0
        self.unsampled: dict[str, str] = {}
        """By meter, why it is not sampled."""
        self._wait = wait
        self._samplers = [MeterSampler(meter, chans, self.clock) for meter, chans in meters]
        self._wakes = [threading.Event() for _ in self._samplers]
        self._threads: list[threading.Thread] = []
        self._spans: dict[int, _OpenWindow] = {}
        self._open: dict[str, list[_OpenWindow]] = {}
        self._opened_count = 0
        self._spans_lock = threading.Lock()
        self._stopping = False

    def start(self) -> Recorder:
        """Begin to sample; returns at once."""
        if self.started_s is not None:
            raise UsageError("this recording has been started before", hint="make a new one")
        self.started_s = self.clock.now_s()
        _alive.add(self)
        self._launch()
        return self

    def stop(self) -> None:
        """Stop sampling, once the moves that settle everything up to now have come.

        This may take one update period of the slowest counter (100 ms on most GPUs), at most a
        second. Windows that are still open are closed. A second call does nothing.
        """
        if self.stopped_s is not None or self.started_s is None:
            return
        self.stopped_s = now_s = self.clock.now_s()
        with self._spans_lock:
            for spans in self._open.values():
                for span in spans:
                    span.end_s = now_s
            self._open.clear()
        if not self.forked:
            self._await_moves(now_s)
            self._land()
        _alive.discard(self)

    def _launch(self) -> None:
        for sampler, wake in zip(self._samplers, self._wakes, strict=True):
            thread = threading.Thread(
                target=self._sample, args=(sampler, wake), name="wattprof", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                # No more threads are allowed: the user's work goes on, and a finding says so.
                self.unsampled[sampler.meter.name] = str(error)
            else:
                self._threads.append(thread)

    def _land(self) -> None:
        self._stopping = True
        for wake in self._wakes:
            wake.set()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def begin(self, name: str, *, at_s: float | None = None) -> None:
        """Open a window now. Windows nest, overlap and repeat as they like.

        Args:
            name: any.
            at_s: an earlier instant, for a window that is named only after it began.
        """
        start_s = self.clock.now_s() if at_s is None else at_s
        span = _OpenWindow(name, start_s, threading.get_ident())
        with self._spans_lock:
            self._spans[self._opened_count] = span
            self._opened_count += 1
            self._open.setdefault(name, []).append(span)
            if len(self._spans) > WINDOW_CAPACITY:
                self._forget()
        self._hurry()

    def end(
        self,
        name: str,
        *,
        at_s: float | None = None,
        iteration_count: int | None = None,
        item_count: int | None = None,
    ) -> None:
        """Close the window of that name that this thread, or else any thread, opened last.

        Now, or at the earlier instant `at_s`.
        """
        end_s = self.clock.now_s() if at_s is None else at_s
        thread_id = threading.get_ident()
        with self._spans_lock:
            spans = self._open.get(name)
            if not spans:
                raise UsageError(
                    f"no window named {name!r} is open", hint=f'open it with begin("{name}")'
                )
            own = [index for index, span in enumerate(spans) if span.thread_id == thread_id]
            span = spans.pop(own[-1] if own else -1)
            if not spans:
                del self._open[name]
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
            spans = list(self._spans.values())
        return tuple(span.frozen() for span in spans)

    def windows_since(self, count: int, among: Iterable[int]) -> dict[int, Window]:
        """By their number, windows opened after the first `count`, and those of `among`."""
        with self._spans_lock:
            fresh = range(count, self._opened_count)
            spans = {n: self._spans[n] for n in (*among, *fresh) if n in self._spans}
        return {number: span.frozen() for number, span in spans.items()}

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What is sampled."""
        return tuple(log.channel for sampler in self._samplers for log in sampler.channels)

    def traces(self, after_s: Mapping[str, float] | None = None) -> tuple[Trace, ...]:
        """What every channel saw so far, or what it saw after an instant, by channel key."""
        return tuple(
            channel.trace((after_s or {}).get(channel.channel.key, -math.inf))
            for sampler in self._samplers
            for channel in sampler.channels
        )

    def _forget(self) -> None:
        """Drop a quarter of the closed windows: of names used most often, and the oldest first.

        So a window in every step of a run of days does not fill the memory, nor drive out the few
        windows around its epochs.
        """
        newer: Counter[str] = Counter()
        ranked: list[tuple[int, int]] = []
        for number, span in reversed(self._spans.items()):
            newer[span.name] += 1
            if span.end_s is not None:
                ranked.append((-newer[span.name], number))
        dropped = sorted(ranked)[: WINDOW_CAPACITY // 4]
        for _, number in dropped:
            del self._spans[number]
        self.dropped_count += len(dropped)

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
        windows = self.windows()
        starts_s = [window.start_s for window in windows]
        return starts_s + [window.end_s for window in windows if window.end_s is not None]

    def _hurry(self) -> None:
        for sampler, wake in zip(self._samplers, self._wakes, strict=True):
            if sampler.streaming:
                sampler.hurry()
                wake.set()

    def _await_moves(self, until_s: float) -> None:
        """Block until every counter has moved after `until_s`, as long as it is worth waiting."""
        for sampler in self._samplers:
            for channel in sampler.channels:
                if sampler.meter.name in self.unsampled:
                    break
                give_up_s = until_s + channel.patience_s
                while self.clock.now_s() < give_up_s and not channel.settled(until_s):
                    self._pause(AWAIT_STEP_S)

    def _pause(self, duration_s: float) -> None:
        time.sleep(duration_s)


def _after_fork_in_child() -> None:
    """Threads do not survive a fork: a child keeps its windows, and says that nobody sampled."""
    for recorder in list(_alive):
        recorder.forked = True
        recorder._spans_lock = threading.Lock()
        recorder._samplers = []
        recorder._wakes = []
        recorder._threads = []


os.register_at_fork(after_in_child=_after_fork_in_child)
