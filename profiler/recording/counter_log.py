"""The moves of one energy counter, in bounded memory."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from profiler.meters.plausible import highest_power_w
from profiler.values.trace import Channel, CounterTrace, FaultKind

from .fault_log import FaultLog
from .slips import Anchor, is_sudden
from .step_size import StepSize
from .thinning import CAPACITY, beside_edges

LEAST_CEILING_W = 1000.0
UNKNOWN_PERIOD_S = 0.1
RECENT_MOVES = 64
FROZEN_SHARE = 0.7
LATE_PERIODS = 1.5


class CounterLog:
    """Moves of one energy counter: unwraps it, notes resets, and thins itself when full.

    A value that is too low or too high for a moment only widens the bracket of the next move.

    Args:
        channel: what is read. `channel.wrap_j` is added back when the counter wraps.
        streaming: the counter moves more often than it is read, so that every read is a move that
            happened within the last two update periods.
        moves_when_read: the counter is a model, which is brought up to date by the read itself.
    """

    def __init__(
        self, channel: Channel, *, streaming: bool = False, moves_when_read: bool = False
    ) -> None:
        self.channel = channel
        self.faults = FaultLog()
        self.read_count = 0
        self.failure_count = 0
        self.last_seen_s: float | None = None
        self._streaming = streaming
        self._moves_when_read = moves_when_read
        self._earliest_s = array("d")
        self._latest_s = array("d")
        self._energy_j = array("d")
        self._epoch = array("l")
        self._raw_j: float | None = None
        self._offset_j = 0.0
        self._current_epoch = 0
        self._previous_start_s: float | None = None
        self._thinned_before_s: float | None = None
        self._usual_w: deque[float] = deque(maxlen=RECENT_MOVES)
        self._anchor: Anchor | None = None
        self._is_broken = False
        self._steps = StepSize(channel)

    def __len__(self) -> int:
        return len(self._energy_j)

    @property
    def last_move_s(self) -> float | None:
        """The earliest instant at which the latest move can have happened."""
        return self._earliest_s[-1] if self._earliest_s else None

    def observe(self, start_s: float, end_s: float, raw_j: float) -> tuple[float, float] | None:
        """Take in one read that began at `start_s` and ended at `end_s`.

        Returns the bracket of the move that it revealed, or None where the value stood still.
        """
        self.read_count += 1
        self.faults.succeed(start_s)
        is_way_back = self._take_back_slip(start_s, end_s, raw_j)
        previous_j, earliest_s = self._raw_j, self._previous_start_s
        self._raw_j, self._previous_start_s, self.last_seen_s = raw_j, start_s, end_s
        if previous_j is None or earliest_s is None or self._is_broken:
            self._begin(start_s, end_s, raw_j)
            return None
        if raw_j == previous_j:
            if start_s - earliest_s > (self.channel.update_period_s or UNKNOWN_PERIOD_S):
                self._steps.stood_still()
            return None
        before = self._anchored(previous_j, raw_j, earliest_s, end_s)
        if is_way_back or not self._continues(previous_j, raw_j, earliest_s, end_s):
            if self._anchor is None or not self._anchor.fell:
                self._anchor = before
            self._begin_epoch(previous_j, raw_j, earliest_s, end_s)
        else:
            if self._anchor is None and self._is_sudden(raw_j, end_s):
                self._anchor = before
            self._watch_for_freeze(raw_j + self._offset_j, earliest_s, end_s)
            if raw_j > previous_j:
                self._steps.moved(raw_j - previous_j)
        if self._streaming and self.channel.update_period_s is not None:
            earliest_s = max(earliest_s, start_s - 2 * self.channel.update_period_s)
        if self._moves_when_read:
            earliest_s = start_s
        self._append(earliest_s, end_s, raw_j + self._offset_j)
        return earliest_s, end_s

    def fail(self, now_s: float, reason: str, *, asleep: bool = False) -> None:
        """Take in a read that failed. A move is then bracketed by the reads around the failure."""
        self.read_count += 1
        self.failure_count += 1
        self.faults.fail(now_s, reason, asleep=asleep)

    def break_off(self, now_s: float, message: str) -> None:
        """The machine was suspended since the last read: what the counter gained is not ours."""
        since_s = now_s if self._previous_start_s is None else self._previous_start_s
        self.faults.add(FaultKind.SUSPENDED, since_s, now_s, message)
        self._is_broken, self._anchor = self._raw_j is not None, None

    def _begin(self, start_s: float, end_s: float, raw_j: float) -> None:
        """Take the value for the first, of all or after a suspension.

        It was reached within the last update period, twice which is allowed for. So the energy up
        to the first move that is seen has a beginning, however late that is.
        """
        known_j = self._energy_j[-1] if self._energy_j else 0.0
        self._current_epoch += self._is_broken
        self._is_broken = False
        self._offset_j = known_j - raw_j
        earliest_s = start_s
        if not self._moves_when_read:
            earliest_s -= 2 * (self.channel.update_period_s or UNKNOWN_PERIOD_S)
        if self._latest_s:
            earliest_s = min(max(earliest_s, self._latest_s[-1]), start_s)
        self._append(earliest_s, end_s, known_j)

    def _take_back_slip(self, start_s: float, end_s: float, raw_j: float) -> bool:
        """Where the value goes on from before a slip, forget what was noted since.

        Returns whether it lasted too long to be forgotten: the step that ends it is no energy then.
        """
        anchor, previous_j = self._anchor, self._raw_j
        if anchor is None or previous_j is None or self._previous_start_s is None:
            return False
        is_current = anchor.is_current(start_s)
        if not is_current and not anchor.fell:
            self._anchor = None
        step_j = raw_j - previous_j
        if raw_j < anchor.raw_j or step_j == 0 or (step_j > 0) != anchor.fell:
            return False
        is_resumed = anchor.is_resumed(
            raw_j, end_s, previous_j=previous_j, span_s=end_s - self._previous_start_s,
            period_s=self.channel.update_period_s or UNKNOWN_PERIOD_S,
        )  # fmt: skip
        if is_resumed or anchor.may_be_reset:
            self._anchor = None
        if not is_resumed or not is_current:
            return is_resumed
        for column in (self._earliest_s, self._latest_s, self._energy_j, self._epoch):
            del column[anchor.length :]
        self.faults.take_back(anchor.fault_count)
        self._raw_j, self._previous_start_s = anchor.raw_j, anchor.start_s
        self._offset_j, self._current_epoch = anchor.offset_j, anchor.epoch
        return False

    def _anchored(self, previous_j: float, raw_j: float, earliest_s: float, end_s: float) -> Anchor:
        period_s = self.channel.update_period_s or UNKNOWN_PERIOD_S
        return Anchor(
            raw_j=previous_j, start_s=earliest_s, length=len(self), offset_j=self._offset_j,
            epoch=self._current_epoch, fault_count=self.faults.count,
            power_w=self._recent_power_w(), jump_j=raw_j - previous_j,
            may_be_reset=raw_j <= self._high_power_w() * (end_s - earliest_s + period_s),
        )  # fmt: skip

    def _is_sudden(self, raw_j: float, end_s: float) -> bool:
        """Whether the step from the last move asks for far more than the usual power."""
        if not self._energy_j:
            return False
        span_s = max(end_s - self._earliest_s[-1], 1e-6)
        step_w = (raw_j + self._offset_j - self._energy_j[-1]) / span_s
        return is_sudden(step_w, self._recent_power_w())

    def _recent_power_w(self) -> float | None:
        """Mean power over the last moves; None where there are too few."""
        first = max(0, len(self) - RECENT_MOVES)
        if len(self) - first < 2:
            return None
        span_s = self._latest_s[-1] - self._latest_s[first]
        return (self._energy_j[-1] - self._energy_j[first]) / span_s if span_s > 0 else None

    def _continues(self, previous_j: float, raw_j: float, earliest_s: float, end_s: float) -> bool:
        """Whether the step from one value to the next is energy, a wrap (then taken back) included.

        Between two reads a counter that wraps may have gone round more than once. That is ruled out
        only where the energy that the device can draw in that time stays below one turn.
        """
        wrap_j, period_s = self.channel.wrap_j, self.channel.update_period_s or UNKNOWN_PERIOD_S
        span_s = end_s - earliest_s + period_s
        ceiling_w = self._high_power_w()
        if wrap_j is not None and ceiling_w * span_s >= wrap_j:
            return False
        if raw_j >= previous_j:
            # The step is the energy of all the time since the move before, not of this bracket.
            still_since_s = self._earliest_s[-1] if self._earliest_s else earliest_s - 1.0
            most_j = highest_power_w(self.channel.device) * (end_s - still_since_s + period_s)
            return raw_j - previous_j <= most_j
        if wrap_j is None or raw_j + wrap_j - previous_j > ceiling_w * span_s:
            return False
        self._offset_j += wrap_j
        return True

    def _begin_epoch(self, previous_j: float, raw_j: float, start_s: float, end_s: float) -> None:
        known_j = self._energy_j[-1] if self._energy_j else 0.0
        self._current_epoch += 1
        self._offset_j = known_j - raw_j
        message = f"the counter went from {previous_j:.3f} J to {raw_j:.3f} J"
        self.faults.add(FaultKind.RESET, start_s, end_s, message)

    def _watch_for_freeze(self, energy_j: float, earliest_s: float, end_s: float) -> None:
        """Note a counter that stood still while it was read, and went on without catching up.

        Judged here, against the moves just before, because a thinned trace no longer tells a
        counter that stood still from moves that were dropped.
        """
        period_s = self.channel.update_period_s
        if period_s is None or self._streaming or not self._energy_j:
            return
        last_s = self._latest_s[-1]
        if last_s - self._earliest_s[-1] > LATE_PERIODS * period_s:
            return  # that value may be older than its read: no power follows from this step
        power_w = (energy_j - self._energy_j[-1]) / max(end_s - last_s, 1e-9)
        still_s = earliest_s - last_s
        if still_s < 2 * period_s:
            self._usual_w.append(power_w)
            return
        floor_w = FROZEN_SHARE * min(self._usual_w, default=0.0)
        if still_s > max(3 * period_s, period_s + 0.05) and power_w < floor_w:
            message = f"the counter stood still for {still_s:.2f} s and did not catch up"
            self.faults.add(FaultKind.FROZEN, last_s, end_s, message)

    def _high_power_w(self) -> float:
        """Twice the mean power so far, at least 1 kW: what a device is trusted not to exceed."""
        return max(LEAST_CEILING_W, 2 * self._mean_power_w())

    def _mean_power_w(self) -> float:
        if len(self._energy_j) < 2:
            return 0.0
        span_s = self._latest_s[-1] - self._earliest_s[0]
        return self._energy_j[-1] / span_s if span_s > 0 else 0.0

    def _append(self, earliest_s: float, latest_s: float, energy_j: float) -> None:
        self._earliest_s.append(earliest_s)
        self._latest_s.append(latest_s)
        self._energy_j.append(energy_j)
        self._epoch.append(self._current_epoch)

    def thin(self, edges_s: Iterable[float]) -> None:
        """Halve the older half once the log is full; moves beside a window's edge stay.

        A dropped move only merges two counter intervals, whose joules stay exact together.
        """
        if len(self) <= CAPACITY:
            return
        old_count = len(self) // 2
        self._anchor = None  # it counts moves
        guarded = beside_edges(self._latest_s[:old_count], edges_s)
        keep = [i for i in range(old_count) if i % 2 == 0 or i in guarded]
        self._thinned_before_s = self._latest_s[old_count]
        for column in (self._earliest_s, self._latest_s, self._energy_j):
            column[:old_count] = array("d", [column[index] for index in keep])
        self._epoch[:old_count] = array("l", [self._epoch[index] for index in keep])

    def trace(self, after_s: float = -math.inf) -> CounterTrace:
        """An immutable copy of what is known now; of moves, only those seen after `after_s`."""
        first = bisect_right(self._latest_s, after_s)
        resolution_j = self._steps.learnt_j(self._mean_power_w(), streaming=self._streaming)
        return CounterTrace(
            channel=replace(self.channel, resolution_j=resolution_j),
            earliest_s=tuple(self._earliest_s[first:]),
            latest_s=tuple(self._latest_s[first:]),
            energy_j=tuple(self._energy_j[first:]),
            epoch=tuple(self._epoch[first:]),
            last_seen_s=self.last_seen_s,
            faults=self.faults.snapshot(),
            thinned_before_s=self._thinned_before_s,
        )
