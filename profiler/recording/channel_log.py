"""What one channel's reads add up to: the growing form of a trace, in bounded memory."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence

from profiler.values.trace import Channel, CounterTrace, FaultKind, PowerTrace

from .fault_log import FaultLog

CAPACITY = 20_000
GUARD_SHARE = 1 / 8
MOST_GUARDED = 4
IMPOSSIBLE_POWER_W = 2e4
LEAST_CEILING_W = 1000.0
UNKNOWN_PERIOD_S = 0.1
RECENT_MOVES = 64
FROZEN_SHARE = 0.7


class CounterLog:
    """Moves of one energy counter: unwraps it, notes resets, and thins itself when full.

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
        previous_j, earliest_s = self._raw_j, self._previous_start_s
        self._raw_j, self._previous_start_s, self.last_seen_s = raw_j, start_s, end_s
        if previous_j is None or earliest_s is None:
            self._offset_j = -raw_j
            if self._streaming:
                self._append(start_s, end_s, 0.0)
            return None
        if raw_j == previous_j:
            return None
        if not self._continues(previous_j, raw_j, earliest_s, end_s):
            self._begin_epoch(previous_j, raw_j, earliest_s, end_s)
        else:
            self._watch_for_freeze(raw_j + self._offset_j, earliest_s, end_s)
        if self._streaming and self.channel.update_period_s is not None:
            earliest_s = max(earliest_s, start_s - 2 * self.channel.update_period_s)
        if self._moves_when_read:
            earliest_s = start_s
        self._append(earliest_s, end_s, raw_j + self._offset_j)
        return earliest_s, end_s

    def fail(self, now_s: float, reason: str) -> None:
        """Take in a read that failed. A move is then bracketed by the reads around the failure."""
        self.read_count += 1
        self.failure_count += 1
        self.faults.fail(now_s, reason)

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
            return raw_j - previous_j <= IMPOSSIBLE_POWER_W * (end_s - still_since_s + period_s)
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
        if len(self._energy_j) < 2:
            return LEAST_CEILING_W
        span_s = self._latest_s[-1] - self._earliest_s[0]
        mean_w = self._energy_j[-1] / span_s if span_s > 0 else 0.0
        return max(LEAST_CEILING_W, 2 * mean_w)

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
        guarded = _beside_edges(self._latest_s[:old_count], edges_s)
        keep = [i for i in range(old_count) if i % 2 == 0 or i in guarded]
        self._thinned_before_s = self._latest_s[old_count]
        for column in (self._earliest_s, self._latest_s, self._energy_j):
            column[:old_count] = array("d", [column[index] for index in keep])
        self._epoch[:old_count] = array("l", [self._epoch[index] for index in keep])

    def trace(self, after_s: float = -math.inf) -> CounterTrace:
        """An immutable copy of what is known now; of moves, only those seen after `after_s`."""
        first = bisect_right(self._latest_s, after_s)
        return CounterTrace(
            channel=self.channel,
            earliest_s=tuple(self._earliest_s[first:]),
            latest_s=tuple(self._latest_s[first:]),
            energy_j=tuple(self._energy_j[first:]),
            epoch=tuple(self._epoch[first:]),
            last_seen_s=self.last_seen_s,
            faults=self.faults.snapshot(),
            thinned_before_s=self._thinned_before_s,
        )


class PowerLog:
    """Samples of one power channel; thins itself when full."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.faults = FaultLog()
        self.read_count = 0
        self.failure_count = 0
        self.last_seen_s: float | None = None
        self._time_s = array("d")
        self._power_w = array("d")
        self._thinned_before_s: float | None = None

    def __len__(self) -> int:
        return len(self._time_s)

    def observe(self, start_s: float, end_s: float, power_w: float) -> None:
        """Take in one read that began at `start_s` and ended at `end_s`.

        A sensor holds a value until its next update: half a period is how old it is on average.
        """
        self.read_count += 1
        self.faults.succeed(start_s)
        held_s = self.channel.update_period_s or 0.0
        self._append((start_s + end_s - held_s) / 2, power_w)
        self.last_seen_s = end_s

    def buffered(self, time_s: float, power_w: float) -> None:
        """Take in one sample that the device buffered; out of order ones are dropped."""
        self._append(time_s, power_w)

    def fail(self, now_s: float, reason: str) -> None:
        """Take in a read that failed."""
        self.read_count += 1
        self.failure_count += 1
        self.faults.fail(now_s, reason)

    def _append(self, time_s: float, power_w: float) -> None:
        if not self._time_s or time_s > self._time_s[-1]:
            self._time_s.append(time_s)
            self._power_w.append(power_w)

    def thin(self, edges_s: Iterable[float]) -> None:
        """Replace pairs of old samples by their mean once the log is full.

        Samples beside a window's edge stay, and so do those on either side of a fault.
        """
        if len(self) <= CAPACITY:
            return
        times_s, powers_w = self._time_s, self._power_w
        old_count = len(self) // 4 * 2
        faults = self.faults.snapshot()
        breaks_s = [fault.start_s for fault in faults]
        guarded = _beside_edges(times_s[:old_count], [*edges_s, *breaks_s])
        thin_s, thin_w = array("d"), array("d")
        for first in range(0, old_count, 2):
            pair = slice(first, first + 2)
            if first in guarded or first + 1 in guarded:
                thin_s.extend(times_s[pair])
                thin_w.extend(powers_w[pair])
            else:
                thin_s.append(sum(times_s[pair]) / 2)
                thin_w.append(sum(powers_w[pair]) / 2)
        self._thinned_before_s = times_s[old_count]
        times_s[:old_count], powers_w[:old_count] = thin_s, thin_w

    def trace(self, after_s: float = -math.inf) -> PowerTrace:
        """An immutable copy of what is known now; of samples, only those after `after_s`."""
        first = bisect_right(self._time_s, after_s)
        return PowerTrace(
            channel=self.channel,
            time_s=tuple(self._time_s[first:]),
            power_w=tuple(self._power_w[first:]),
            last_seen_s=self.last_seen_s,
            faults=self.faults.snapshot(),
            thinned_before_s=self._thinned_before_s,
        )


def _beside_edges(times_s: Sequence[float], edges_s: Iterable[float]) -> set[int]:
    """Indices of the entries on either side of each edge: four, or fewer where edges are many.

    Never more than an eighth of the capacity, so that a thinned log has room again.
    """
    inside_s = [edge_s for edge_s in edges_s if times_s[0] <= edge_s <= times_s[-1]]
    width = min(MOST_GUARDED, int(CAPACITY * GUARD_SHARE) // (2 * max(1, len(inside_s))))
    beside: set[int] = set()
    for edge_s in inside_s:
        middle = bisect_left(times_s, edge_s)
        beside.update(range(max(0, middle - width), min(len(times_s), middle + width)))
    return beside
