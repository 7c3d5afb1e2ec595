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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from profiler.errors import UsageError
from profiler.meters import OpenMeter
from profiler.meters.clock import Clock, MonotonicClock
from profiler.values.trace import Channel, Trace, Window

from .sampler import ChannelSampler, MeterSampler
from .window_log import WindowLog

LONGEST_SLEEP_S = 0.1
AWAIT_STEP_S = 0.005


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
        self.unsampled: dict[str, str] = {}
        """By meter, why it is not sampled."""
        self._wait = wait
        self._samplers = [MeterSampler(meter, chans, self.clock) for meter, chans in meters]
        self._wakes = [threading.Event() for _ in self._samplers]
        self._threads: list[threading.Thread] = []
        self._windows = WindowLog()
        self._stopping = False

    def start(self) -> Recorder:
        """Read every sensor once, then sample in the background; returns in milliseconds.

        What the counters show before the first instant of the recording bounds its energy, however
        long the sampling threads have to wait for a CPU.
        """
        if self.started_s is not None:
            raise UsageError("this recording has been started before", hint="make a new one")
        self._look_first()
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
        self._windows.close_all(now_s)
        if not self.forked:
            self._await_moves(now_s)
            self._land()
        _alive.discard(self)

    def _look_first(self) -> None:
        for sampler in self._samplers:
            sampler.look_first()

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
        self._windows.begin(name, self.clock.now_s() if at_s is None else at_s)
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
        self._windows.end(name, end_s, iteration_count, item_count)
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
        return self._windows.all()

    @property
    def window_count(self) -> int:
        """How many there are."""
        return len(self._windows)

    def windows_named(self, name: str) -> tuple[Window, ...]:
        """Those of one name, in the order in which they were opened; `KeyError` without any."""
        return self._windows.named(name)

    def windows_beside(self, targets: Sequence[Window], margin_s: float) -> tuple[Window, ...]:
        """Those that begin or end within so many seconds of an edge of a target."""
        return self._windows.beside(targets, margin_s)

    def windows_since(self, count: int, among: Iterable[int]) -> dict[int, Window]:
        """By their number, windows opened after the first `count`, and those of `among`."""
        return self._windows.since(count, among)

    @property
    def dropped_count(self) -> int:
        """Windows that were forgotten to save memory."""
        return self._windows.dropped_count

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

    def _sample(self, sampler: MeterSampler, wake: threading.Event) -> None:
        while not self._stopping:
            pause_s = sampler.step(self._windows.edges_s) - self.clock.now_s()
            if sampler.streaming:
                wake.wait(max(0.0, pause_s))
                wake.clear()
            elif pause_s > 0:
                # Half the cost of an event's timed wait, and nobody has to wake this thread.
                time.sleep(min(pause_s, LONGEST_SLEEP_S))
        sampler.look_now()

    def _hurry(self) -> None:
        for sampler, wake in zip(self._samplers, self._wakes, strict=True):
            if sampler.streaming:
                sampler.hurry()
                wake.set()

    def await_first_moves(self) -> None:
        """Block, in the first moments of a recording, until the counters have told half of it.

        One update period of the slowest counter, a second at most; later, and once stopped, not at
        all.
        """
        if self.started_s is None or self.stopped_s is not None or self.forked:
            return
        for channel in self._sampled_channels():
            give_up_s = self.started_s + channel.patience_s
            while (now_s := self.clock.now_s()) < give_up_s:
                if channel.settled((self.started_s + now_s) / 2):
                    break
                self._pause(AWAIT_STEP_S)

    def _await_moves(self, until_s: float) -> None:
        """Block until every counter has moved after `until_s`, as long as it is worth waiting."""
        for channel in self._sampled_channels():
            give_up_s = until_s + channel.patience_s
            while self.clock.now_s() < give_up_s and not channel.settled(until_s):
                self._pause(AWAIT_STEP_S)

    def _sampled_channels(self) -> list[ChannelSampler]:
        sampled = [s for s in self._samplers if s.meter.name not in self.unsampled]
        return [channel for sampler in sampled for channel in sampler.channels]

    def _pause(self, duration_s: float) -> None:
        time.sleep(duration_s)


def _after_fork_in_child() -> None:
    """Threads do not survive a fork: a child keeps its windows, and says that nobody sampled."""
    for recorder in list(_alive):
        recorder.forked = True
        recorder._windows.renew_lock()
        recorder._samplers = []
        recorder._wakes = []
        recorder._threads = []


os.register_at_fork(after_in_child=_after_fork_in_child)
