"""What one channel's reads add up to: the growing form of a trace, in bounded memory."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from .trace import Channel, CounterTrace, Fault, FaultKind, PowerTrace

CAPACITY = 20_000
FAULT_CAPACITY = 200
IMPOSSIBLE_POWER_W = 1e5
LONGEST_HICCUP_S = 0.35


class FaultLog:
    """Spans in which a channel could not be read or believed."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._failing_since_s: float | None = None
        self._reason = ""

    def fail(self, now_s: float, reason: str) -> None:
        """A read failed."""
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._reason = reason

    def succeed(self, now_s: float) -> None:
        """A read succeeded: a long enough row of failures before it becomes a fault."""
        since_s = self._failing_since_s
        self._failing_since_s = None
        if since_s is not None and now_s - since_s > LONGEST_HICCUP_S:
            self.add(FaultKind.UNREADABLE, since_s, now_s, self._reason)

    def add(self, kind: FaultKind, start_s: float, end_s: float | None, message: str) -> None:
        """Note a fault; past the capacity the last one grows instead."""
        fault = Fault(kind=kind, start_s=start_s, end_s=end_s, message=message)
        if len(self._faults) < FAULT_CAPACITY:
            self._faults.append(fault)
        else:
            first = self._faults[-1]
            self._faults[-1] = Fault(
                kind=kind, start_s=first.start_s, end_s=end_s, message=f"{message} (and more)"
            )

    def snapshot(self) -> tuple[Fault, ...]:
        """All faults so far, one that still lasts included."""
        if self._failing_since_s is None:
            return tuple(self._faults)
        lasting = Fault(
            kind=FaultKind.LOST, start_s=self._failing_since_s, end_s=None, message=self._reason
        )
        return (*self._faults, lasting)


class CounterLog:
    """Moves of one energy counter: unwraps it, notes resets, and thins itself when full.

    Args:
        channel: what is read. `channel.wrap_j` is added back when the counter wraps.
        streaming: the counter moves more often than it is read, so that every read is a move that
            happened within the last two update periods.
    """

    def __init__(self, channel: Channel, *, streaming: bool = False) -> None:
        self.channel = channel
        self.faults = FaultLog()
        self.read_count = 0
        self.failure_count = 0
        self.last_seen_s: float | None = None
        self._streaming = streaming
        self._earliest_s = array("d")
        self._latest_s = array("d")
        self._energy_j = array("d")
        self._epoch = array("l")
        self._raw_j: float | None = None
        self._offset_j = 0.0
        self._current_epoch = 0
        self._previous_start_s: float | None = None

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
        if not self._continues(previous_j, raw_j, end_s - earliest_s):
            self._begin_epoch(previous_j, raw_j, earliest_s, end_s)
        if self._streaming and self.channel.update_period_s is not None:
            earliest_s = max(earliest_s, start_s - 2 * self.channel.update_period_s)
        self._append(earliest_s, end_s, raw_j + self._offset_j)
        return earliest_s, end_s

    def fail(self, now_s: float, reason: str) -> None:
        """Take in a read that failed. A move is then bracketed by the reads around the failure."""
        self.read_count += 1
        self.failure_count += 1
        self.faults.fail(now_s, reason)

    def _continues(self, previous_j: float, raw_j: float, span_s: float) -> bool:
        """Whether the step from one value to the next is energy, a wrap (then taken back) included.

        Between two reads a counter that wraps may have gone round more than once. That is ruled out
        only where the energy that the device can draw in that time stays below one turn.
        """
        wrap_j = self.channel.wrap_j
        ceiling_j = self._high_power_w() * span_s
        if wrap_j is not None and ceiling_j >= wrap_j:
            return False
        if raw_j >= previous_j:
            return raw_j - previous_j <= IMPOSSIBLE_POWER_W * span_s
        if wrap_j is None or raw_j + wrap_j - previous_j > max(4 * ceiling_j, wrap_j / 100):
            return False
        self._offset_j += wrap_j
        return True

    def _begin_epoch(self, previous_j: float, raw_j: float, start_s: float, end_s: float) -> None:
        known_j = self._energy_j[-1] if self._energy_j else 0.0
        self._current_epoch += 1
        self._offset_j = known_j - raw_j
        message = f"the counter went from {previous_j:.3f} J to {raw_j:.3f} J"
        self.faults.add(FaultKind.RESET, start_s, end_s, message)

    def _high_power_w(self) -> float:
        """Twice the mean power so far, at least 400 W: what a device is trusted not to exceed."""
        if len(self._energy_j) < 2:
            return 400.0
        span_s = self._latest_s[-1] - self._earliest_s[0]
        return max(400.0, 2 * self._energy_j[-1] / span_s) if span_s > 0 else 400.0

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
        keep = _kept(self._latest_s, self._epoch, sorted(edges_s), len(self) // 2)
        for column in (self._earliest_s, self._latest_s, self._energy_j):
            column[:] = array("d", [column[index] for index in keep])
        self._epoch[:] = array("l", [self._epoch[index] for index in keep])

    def trace(self) -> CounterTrace:
        """An immutable copy of what is known now."""
        return CounterTrace(
            channel=self.channel,
            earliest_s=tuple(self._earliest_s),
            latest_s=tuple(self._latest_s),
            energy_j=tuple(self._energy_j),
            epoch=tuple(self._epoch),
            last_seen_s=self.last_seen_s,
            faults=self.faults.snapshot(),
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

    def __len__(self) -> int:
        return len(self._time_s)

    def observe(self, start_s: float, end_s: float, power_w: float) -> None:
        """Take in one read that began at `start_s` and ended at `end_s`."""
        self.read_count += 1
        self.faults.succeed(start_s)
        self._append((start_s + end_s) / 2, power_w)
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
        """Replace pairs of old samples by their mean once the log is full."""
        if len(self) <= CAPACITY:
            return
        half = len(self) // 4 * 2
        times, powers = self._time_s, self._power_w
        merged_s = [(times[i] + times[i + 1]) / 2 for i in range(0, half, 2)]
        merged_w = [(powers[i] + powers[i + 1]) / 2 for i in range(0, half, 2)]
        times[:half] = array("d", merged_s)
        powers[:half] = array("d", merged_w)

    def trace(self) -> PowerTrace:
        """An immutable copy of what is known now."""
        return PowerTrace(
            channel=self.channel,
            time_s=tuple(self._time_s),
            power_w=tuple(self._power_w),
            last_seen_s=self.last_seen_s,
            faults=self.faults.snapshot(),
        )


def _kept(
    latest_s: Sequence[float], epoch: Sequence[int], edges_s: Sequence[float], old_count: int
) -> list[int]:
    """Indices that survive a thinning: new ones, every other old one, and those beside an edge."""
    guarded: set[int] = set()
    if len(edges_s) < CAPACITY // 16:
        guarded = _beside_edges(latest_s, edges_s)
    kept = []
    for index in range(len(latest_s)):
        resets = index > 0 and epoch[index] != epoch[index - 1]
        ends = index + 1 < len(epoch) and epoch[index + 1] != epoch[index]
        if index >= old_count or index % 2 == 0 or resets or ends or index in guarded:
            kept.append(index)
    return kept


def _beside_edges(latest_s: Sequence[float], edges_s: Sequence[float]) -> set[int]:
    """Indices of the four moves on either side of each edge."""
    beside: set[int] = set()
    for edge_s in edges_s:
        if math.isfinite(edge_s):
            middle = bisect_left(latest_s, edge_s)
            beside.update(range(max(0, middle - 4), min(len(latest_s), middle + 4)))
    return beside
