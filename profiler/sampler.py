"""One meter's channels, read when they are due. No thread and no sleep: time is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from .channel_log import CAPACITY, CounterLog, PowerLog
from .clock import Clock
from .errors import SensorError
from .meters.base import Meter
from .schedule import (
    FAST_PERIOD_S,
    POWER_STEP_S,
    STREAM_STEP_S,
    CounterSchedule,
    RetrySchedule,
    SteadySchedule,
)
from .trace import Channel, ChannelKind, Trace

CLOSEST_LOOKS_S = 5e-4


class ChannelSampler:
    """Reads one channel when it is due and logs what it saw."""

    def __init__(self, meter: Meter, channel: Channel, clock: Clock) -> None:
        self.channel = channel
        self.due_s = clock.now_s()
        period_s = channel.update_period_s
        cost_s = channel.read_cost_s or 0.0
        self.streaming = (
            channel.kind is ChannelKind.ENERGY
            and period_s is not None
            and period_s <= FAST_PERIOD_S
        )
        self.log: CounterLog | PowerLog
        self._plan: CounterSchedule | SteadySchedule
        if channel.kind is ChannelKind.POWER:
            self.log = PowerLog(channel)
            self._plan = SteadySchedule(max(POWER_STEP_S, period_s or 0.0), cost_s)
        else:
            self.log = CounterLog(channel, streaming=self.streaming)
            if self.streaming:
                self._plan = SteadySchedule(STREAM_STEP_S, cost_s)
            else:
                self._plan = CounterSchedule(period_s, cost_s)
        self._meter = meter
        self._clock = clock
        self._retry = RetrySchedule()

    def look(self) -> bool:
        """Read once and plan the next read; True if the value of a counter moved."""
        start_s = self._clock.now_s()
        if isinstance(self._plan, CounterSchedule) and start_s > self.due_s:
            self._plan.woke_late(start_s - self.due_s)
        try:
            value = self._meter.read(self.channel)
            drained = self._meter.drain(self.channel)
        except Exception as error:  # a meter's own bug may not end the user's job: it is a fault
            failed_s = self._clock.now_s()
            reason = error.message if isinstance(error, SensorError) else repr(error)
            self.log.fail(failed_s, reason)
            self.due_s = self._retry.after_failure(failed_s)
            return False
        end_s = self._clock.now_s()
        self._retry.reset()
        if isinstance(self.log, PowerLog):
            for sample in drained:
                if sample.power_w is not None:
                    self.log.buffered(sample.time_s, sample.power_w)
            self.log.observe(start_s, end_s, value)
            moved = None
        else:
            moved = self.log.observe(start_s, end_s, value)
        if isinstance(self._plan, SteadySchedule):
            self.due_s = self._plan.after(end_s)
        elif moved is None:
            self.due_s = self._plan.after_no_move(end_s)
        else:
            self.due_s = self._plan.after_move(*moved)
        return moved is not None

    def nearly_due(self, now_s: float) -> bool:
        """Whether a read now would do instead of the next one, and spare a wake-up."""
        plan = self._plan
        return isinstance(plan, SteadySchedule) and self.due_s - now_s < plan.step_s / 2

    def hurry(self, now_s: float) -> None:
        """A window opens or closes: a fast counter is worth reading at that very moment."""
        if self.streaming and (self.log.last_seen_s or 0.0) + CLOSEST_LOOKS_S < now_s:
            self.due_s = min(self.due_s, now_s)

    def settled(self, until_s: float) -> bool:
        """Whether what happened up to `until_s` is enclosed by reads."""
        if isinstance(self.log, CounterLog):
            return self.log.last_move_s is not None and self.log.last_move_s >= until_s
        return self.log.last_seen_s is not None and self.log.last_seen_s >= until_s

    @property
    def patience_s(self) -> float:
        """How long the next move may take before waiting for it is given up."""
        if isinstance(self._plan, SteadySchedule):
            return 2 * self._plan.step_s
        period_s = self._plan.period_s or 0.3
        return min(3 * period_s, 1.0) + 3 * (self.channel.read_cost_s or 0.0)


class MeterSampler:
    """All channels of one meter, read by one thread, so that a slow meter delays only itself."""

    def __init__(self, meter: Meter, channels: Sequence[Channel], clock: Clock) -> None:
        self.meter = meter
        self.channels = tuple(ChannelSampler(meter, channel, clock) for channel in channels)
        self.lock = Lock()
        self._clock = clock

    def step(self, edges_s: Callable[[], Sequence[float]] = tuple) -> float:
        """Read whatever is due, and return the instant at which to come back.

        Args:
            edges_s: gives the edges of all windows, asked for when a full log must be thinned.
        """
        now_s = self._clock.now_s()
        moved = False
        for channel in self.channels:
            if channel.due_s <= now_s or (moved and channel.nearly_due(now_s)):
                with self.lock:
                    moved |= channel.look()
                    if len(channel.log) > CAPACITY:
                        channel.log.thin(edges_s())
        return min((channel.due_s for channel in self.channels), default=now_s + 1.0)

    def look_now(self) -> None:
        """Read every channel at once, due or not."""
        for channel in self.channels:
            with self.lock:
                channel.look()

    @property
    def streaming(self) -> bool:
        """Whether a window's edge is worth waking up for."""
        return any(channel.streaming for channel in self.channels)

    def hurry(self) -> None:
        """Bring forward the reads that a window's edge is worth."""
        now_s = self._clock.now_s()
        for channel in self.channels:
            channel.hurry(now_s)

    def traces(self) -> tuple[Trace, ...]:
        """Immutable copies of what every channel saw so far."""
        with self.lock:
            return tuple(channel.log.trace() for channel in self.channels)
