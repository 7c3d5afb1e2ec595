"""When to look at a sensor next: rarely, but just around the moment its value moves.

A counter that moves every 100 ms stands still for 99 of them. Once its period is known, the next
look is placed shortly before the expected move and repeated every millisecond until the move is
seen, so that the instant of the move is known to about a millisecond at a few reads a period.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

FINE_STEP_S = 1e-3
DISCOVERY_STEP_S = 4e-3
MINIMUM_MARGIN_S = 1e-3
FAST_PERIOD_S = 5e-3
STREAM_STEP_S = 0.04
POWER_STEP_S = 0.05
TARGET_MOVE_SPACING_S = 0.08
RETRY_FIRST_S = 5e-3
RETRY_LONGEST_S = 1.0
GOLDEN_RATIO = 0.6180339887498949


@dataclass(slots=True)
class CounterSchedule:
    """Plans the looks at one slow energy counter.

    Args:
        period_s: update period, if the meter knows it; learned otherwise.
        read_cost_s: cost of one read; a slow sensor is never asked more than half of the time.
    """

    period_s: float | None = None
    read_cost_s: float = 0.0
    _move_s: float | None = None
    _expected_s: float | None = None
    _move_count: int = 0
    _jitter_s: float = 2e-3
    _intervals_s: deque[float] = field(default_factory=lambda: deque(maxlen=31))

    def after_move(self, earliest_s: float, latest_s: float) -> float:
        """The next look after a move was seen inside [earliest_s, latest_s]."""
        move_s = (earliest_s + latest_s) / 2
        self._learn(move_s, latest_s - earliest_s)
        self._move_s = move_s
        self._move_count += 1
        if self.period_s is None:
            return self._spaced(latest_s, DISCOVERY_STEP_S)
        stride = max(1, math.ceil(TARGET_MOVE_SPACING_S / self.period_s))
        self._expected_s = move_s + stride * self.period_s
        while self._expected_s <= latest_s:
            self._expected_s += self.period_s
        # A different offset every time: brackets that cut the period at different phases together
        # pin it down far below the width of one of them.
        dither = 0.6 + 0.8 * ((self._move_count * GOLDEN_RATIO) % 1.0)
        return self._spaced(latest_s, self._expected_s - self._margin_s() * dither - latest_s)

    def after_no_move(self, now_s: float) -> float:
        """The next look after a read that returned the same value as the one before."""
        if self.period_s is None or self._expected_s is None:
            return self._spaced(now_s, DISCOVERY_STEP_S)
        overdue_s = now_s - self._expected_s
        if overdue_s < 4 * self._margin_s():
            return self._spaced(now_s, FINE_STEP_S)
        if overdue_s < 2 * self.period_s:
            return self._spaced(now_s, max(FINE_STEP_S, self.period_s / 20))
        return self._spaced(now_s, max(FINE_STEP_S, self.period_s / 4))

    def _spaced(self, now_s: float, step_s: float) -> float:
        return now_s + max(step_s, self.read_cost_s, FINE_STEP_S / 2)

    def _margin_s(self) -> float:
        widest_s = (self.period_s or math.inf) / 4
        return min(max(MINIMUM_MARGIN_S, 2 * self._jitter_s), widest_s)

    def _learn(self, move_s: float, width_s: float) -> None:
        sharp = width_s <= max(2 * DISCOVERY_STEP_S, 3 * self.read_cost_s)
        if self._expected_s is not None and sharp:
            miss_s = min(abs(move_s - self._expected_s), 0.05)
            self._jitter_s += 0.2 * (miss_s - self._jitter_s)
        if self._move_s is None or not sharp:
            return
        interval_s = move_s - self._move_s
        if self.period_s is not None:
            interval_s /= max(1, round(interval_s / self.period_s))
        self._intervals_s.append(interval_s)
        if len(self._intervals_s) >= 3:
            self.period_s = median(self._intervals_s)


@dataclass(slots=True)
class SteadySchedule:
    """Looks at even distances: for power samples, and for counters that move all the time."""

    step_s: float
    read_cost_s: float = 0.0

    def after(self, now_s: float) -> float:
        """The next look."""
        return now_s + max(self.step_s, 2 * self.read_cost_s)


@dataclass(slots=True)
class RetrySchedule:
    """Looks after failed reads: at once, then ever more rarely, once a second in the end."""

    _step_s: float = RETRY_FIRST_S

    def after_failure(self, now_s: float) -> float:
        """The next look after a read that failed."""
        due_s = now_s + self._step_s
        self._step_s = min(2 * self._step_s, RETRY_LONGEST_S)
        return due_s

    def reset(self) -> None:
        """A read succeeded."""
        self._step_s = RETRY_FIRST_S
