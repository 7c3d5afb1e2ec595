"""One meter's channels, read when they are due. No thread and no sleep: time is handed in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from threading import Lock

from profiler.errors import SensorError
from profiler.meters.base import AsleepError, Meter
from profiler.meters.clock import LEAST_SUSPENSION_S, Clock
from profiler.meters.clock import suspended_s as clock_suspended_s
from profiler.meters.plausible import read_plausible
from profiler.values.estimate import Basis
from profiler.values.trace import Channel, ChannelKind, Reading, Trace

from .channel_log import CAPACITY, CounterLog, PowerLog
from .schedule import (
    FAST_PERIOD_S,
    POWER_STEP_S,
    RETRY_LONGEST_S,
    STREAM_STEP_S,
    TARGET_MOVE_SPACING_S,
    CounterSchedule,
    RetrySchedule,
    SteadySchedule,
)

MODEL_PERIODS = 1.1
EDGE_LOOKS_PER_S = 50.0
EDGE_LOOKS_AT_ONCE = 20.0
LONGEST_FIRST_LOOK_S = 0.02
ASLEEP_STEP_S = 0.2  # to ask whether a device is awake is cheap


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
            is_model = channel.basis is not Basis.MEASURED
            self.log = CounterLog(channel, streaming=self.streaming, moves_when_read=is_model)
            if self.streaming:
                self._plan = SteadySchedule(STREAM_STEP_S, cost_s)
            elif is_model and period_s is not None:
                # Nothing moves between two reads of a model: there is no move to be looked for.
                self._plan = SteadySchedule(MODEL_PERIODS * period_s, cost_s)
            else:
                self._plan = CounterSchedule(period_s, cost_s)
        self.lock = Lock()
        self._meter = meter
        self._clock = clock
        self._retry = RetrySchedule()
        self._suspended_s = clock_suspended_s(clock)
        self._edge_credit = EDGE_LOOKS_AT_ONCE
        self._credited_s = self.due_s

    def look(self) -> bool:
        """Read once and plan the next read; True if the value of a counter moved.

        Nothing is locked while the sensor is read, however long that takes.
        """
        start_s = self._clock.now_s()
        if isinstance(self._plan, CounterSchedule) and start_s > self.due_s:
            self._plan.woke_late(start_s - self.due_s)
        suspended_s = clock_suspended_s(self._clock)
        self._note_suspension(start_s, suspended_s)
        try:
            value = read_plausible(self._meter, self.channel)
            drained = self._meter.drain(self.channel)
            if clock_suspended_s(self._clock) - suspended_s > LEAST_SUSPENSION_S:
                raise SensorError("the machine was suspended during the read")
        except Exception as error:  # a meter's own bug may not end the user's job: it is a fault
            failed_s = self._clock.now_s()
            is_asleep = isinstance(error, AsleepError)
            reason = error.message if isinstance(error, SensorError) else repr(error)
            with self.lock:
                self.log.fail(failed_s, reason, asleep=is_asleep)
            longest_s = ASLEEP_STEP_S if is_asleep else RETRY_LONGEST_S
            self.due_s = min(self._retry.after_failure(failed_s), failed_s + longest_s)
            return False
        end_s = self._clock.now_s()
        self._retry.reset()
        with self.lock:
            moved = self._note(start_s, end_s, value, drained)
        if isinstance(self._plan, SteadySchedule):
            self.due_s = self._plan.after(end_s)
        elif moved is None:
            self.due_s = self._plan.after_no_move(end_s)
        else:
            self.due_s = self._plan.after_move(*moved)
        return moved is not None

    def _note_suspension(self, now_s: float, suspended_s: float) -> None:
        """Break the log off where the machine was suspended since the last read."""
        asleep_s, self._suspended_s = suspended_s - self._suspended_s, suspended_s
        if asleep_s > LEAST_SUSPENSION_S:
            with self.lock:
                self.log.break_off(now_s, f"suspended for {asleep_s:.0f} s")

    def _note(
        self, start_s: float, end_s: float, value: float, drained: Sequence[Reading]
    ) -> tuple[float, float] | None:
        if isinstance(self.log, CounterLog):
            return self.log.observe(start_s, end_s, value)
        for sample in drained:
            if sample.power_w is not None:
                self.log.buffered(sample.time_s, sample.power_w)
        self.log.observe(start_s, end_s, value)
        return None

    def thin(self, edges_s: Callable[[], Sequence[float]]) -> None:
        """Make room in a full log."""
        if len(self.log) > CAPACITY:
            kept_s = edges_s()
            with self.lock:
                self.log.thin(kept_s)

    def trace(self, after_s: float = -math.inf) -> Trace:
        """An immutable copy of what was seen after an instant."""
        with self.lock:
            return self.log.trace(after_s)

    def nearly_due(self, now_s: float) -> bool:
        """Whether a read now would do instead of the next one, and spare a wake-up."""
        plan = self._plan
        return isinstance(plan, SteadySchedule) and self.due_s - now_s < plan.step_s / 2

    def hurry(self, now_s: float) -> None:
        """A window opens or closes: a fast counter is worth reading at that very moment.

        Not at every edge of a loop with a window in every millisecond: 50 times a second.
        """
        earned = EDGE_LOOKS_PER_S * (now_s - self._credited_s)
        self._edge_credit = min(self._edge_credit + earned, EDGE_LOOKS_AT_ONCE)
        self._credited_s = now_s
        if self.streaming and self._edge_credit >= 1:
            self._edge_credit -= 1
            self.due_s = min(self.due_s, now_s)

    def reads_within(self, longest_s: float) -> bool:
        """Whether a read takes no longer, as far as is known."""
        return (self.channel.read_cost_s or 0.0) <= longest_s

    def settled(self, until_s: float) -> bool:
        """Whether what happened up to `until_s` is enclosed: joules are between two moves."""
        if isinstance(self.log, CounterLog):
            last_s = self.log.last_move_s
            return len(self.log) > 1 and last_s is not None and last_s >= until_s
        return self.log.last_seen_s is not None and self.log.last_seen_s >= until_s

    @property
    def patience_s(self) -> float:
        """How long the next move may take before waiting for it is given up."""
        if isinstance(self._plan, SteadySchedule):
            return 2 * self._plan.step_s
        # Of a counter that moves more often, not every move is looked for.
        period_s = max(self._plan.period_s or 0.3, TARGET_MOVE_SPACING_S)
        return min(3 * period_s, 1.0) + 3 * (self.channel.read_cost_s or 0.0)


class MeterSampler:
    """All channels of one meter, read by one thread, so that a slow meter delays only itself."""

    def __init__(self, meter: Meter, channels: Sequence[Channel], clock: Clock) -> None:
        self.meter = meter
        self.channels = tuple(ChannelSampler(meter, channel, clock) for channel in channels)
        self.streaming = any(channel.streaming for channel in self.channels)
        """Whether a window's edge is worth waking up for."""
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
                moved |= channel.look()
                channel.thin(edges_s)
        return min((channel.due_s for channel in self.channels), default=now_s + 1.0)

    def look_first(self) -> None:
        """Read the counters before a recording begins, save those that would hold the caller up."""
        for channel in self.channels:
            if isinstance(channel.log, CounterLog) and channel.reads_within(LONGEST_FIRST_LOOK_S):
                channel.look()

    def look_now(self) -> None:
        """Read every channel at once, due or not; again where a counter moved.

        That a later read finds nothing new tells that the value was not old when it was read.
        """
        for channel in self.channels:
            if channel.look() and channel.reads_within(LONGEST_FIRST_LOOK_S):
                channel.look()

    def hurry(self) -> None:
        """Bring forward the reads that a window's edge is worth."""
        now_s = self._clock.now_s()
        for channel in self.channels:
            channel.hurry(now_s)

    def traces(self) -> tuple[Trace, ...]:
        """Immutable copies of what every channel saw so far."""
        return tuple(channel.trace() for channel in self.channels)
