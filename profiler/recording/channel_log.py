"""What one channel's reads add up to: the growing form of a trace, in bounded memory."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable

from profiler.values.trace import Channel, FaultKind, PowerTrace

from .counter_log import CounterLog
from .fault_log import FaultLog
from .thinning import CAPACITY, beside_edges

__all__ = ["CAPACITY", "CounterLog", "PowerLog"]


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

    def fail(self, now_s: float, reason: str, *, asleep: bool = False) -> None:
        """Take in a read that failed."""
        self.read_count += 1
        self.failure_count += 1
        self.faults.fail(now_s, reason, asleep=asleep)

    def break_off(self, now_s: float, message: str) -> None:
        """The machine was suspended since the last read."""
        since_s = now_s if self.last_seen_s is None else self.last_seen_s
        self.faults.add(FaultKind.SUSPENDED, since_s, now_s, message)

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
        guarded = beside_edges(times_s[:old_count], [*edges_s, *breaks_s])
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
