"""When to look at a sensor next: rarely, but just around the moment its value moves.

A counter that moves every 100 ms stands still for 99 of them. Once its period is known, one look is
placed just before the expected move and one just behind it, and only where these two enclose more
than a millisecond, further looks between them. What is expected is an interval, which every
bracket cuts and every period widens a little again.

            expected - half    expected    expected + half
    ───────────────┼──────────────┼──────────────┼──────────▶ time
             look (old)        look (?)       look (new)
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

FINE_STEP_S = 1e-3
DISCOVERY_STEP_S = 4e-3
FAST_PERIOD_S = 5e-3
STREAM_STEP_S = 0.04
POWER_STEP_S = 0.1
TARGET_MOVE_SPACING_S = 0.08
DRIFT_S = 1e-4
GUARD_S = 2e-4
HISTORY, FEWEST_MOVES = 32, 4
MOST_MISSED = 6
RETRY_FIRST_S = 5e-3
RETRY_LONGEST_S = 1.0


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
    _half_s: float = DISCOVERY_STEP_S
    _jitter_s: float = DRIFT_S
    _late_s: float = GUARD_S
    _missed_count: int = 0
    _history: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))

    def woke_late(self, late_s: float) -> None:
        """A look came that much after the instant it was planned for."""
        self._late_s += 0.1 * (min(late_s, 2e-3) - self._late_s)

    def after_move(self, earliest_s: float, latest_s: float) -> float:
        """The next look after a move was seen inside [earliest_s, latest_s]."""
        if self._passed_over(earliest_s, latest_s):
            return self.after_no_move(latest_s)
        move_s, half_s = self._located(earliest_s, latest_s)
        self._move_s = move_s
        if self.period_s is None:
            return self._spaced(latest_s, latest_s + DISCOVERY_STEP_S)
        stride = max(1, math.ceil(TARGET_MOVE_SPACING_S / self.period_s))
        stride = max(stride, math.ceil((latest_s - move_s) / self.period_s))
        self._expected_s = move_s + stride * self.period_s
        self._half_s = min(half_s + DRIFT_S + self._jitter_s, self.period_s / 4)
        return self._spaced(latest_s, self._expected_s - self._half_s - GUARD_S)

    def after_no_move(self, now_s: float) -> float:
        """The next look after a read that returned the same value as the one before."""
        if self.period_s is None or self._expected_s is None:
            return self._spaced(now_s, now_s + DISCOVERY_STEP_S)
        end_s = self._expected_s + self._half_s + GUARD_S
        if now_s < end_s:
            parts = max(1, math.ceil((end_s - now_s) / (1.5 * FINE_STEP_S)))
            return self._spaced(now_s, now_s + (end_s - now_s) / min(parts, 8))
        overdue_s = now_s - self._expected_s
        if overdue_s < 5 * FINE_STEP_S + 2 * self._half_s:
            return self._spaced(now_s, now_s + FINE_STEP_S)
        share = 20 if overdue_s < 2 * self.period_s else 4
        return self._spaced(now_s, now_s + self.period_s / share)

    def _passed_over(self, earliest_s: float, latest_s: float) -> bool:
        """Whether what was seen are moves that were left out on purpose, before the expected one.

        Of a counter that moves every 20 ms only every fourth move is waited for.
        """
        if self.period_s is None or self._expected_s is None:
            return False
        is_early = latest_s < self._expected_s - self._half_s
        return is_early and latest_s - earliest_s > 1.5 * self.period_s

    def _spaced(self, now_s: float, wanted_s: float) -> float:
        closest_s = now_s + max(self.read_cost_s, FINE_STEP_S / 4)
        return max(wanted_s - self._late_s, closest_s)

    def _located(self, earliest_s: float, latest_s: float) -> tuple[float, float]:
        """Cut the expected interval with a bracket; returns the middle and half of what is left."""
        middle_s, width_s = (earliest_s + latest_s) / 2, latest_s - earliest_s
        if self._expected_s is None:
            if width_s <= 2 * DISCOVERY_STEP_S:
                self._learn(middle_s)
            return middle_s, width_s / 2
        low_s = max(earliest_s, self._expected_s - self._half_s)
        high_s = min(latest_s, self._expected_s + self._half_s)
        self._missed_count += 1
        if low_s > high_s:
            # The move came where none was expected: widen what is expected next time.
            near_s = min(max(self._expected_s, earliest_s), latest_s)
            self._jitter_s = min(2 * self._jitter_s + abs(near_s - self._expected_s) / 4, 0.01)
            low_s, high_s = earliest_s, latest_s
            self._doubt()
        elif width_s > 4 * self._half_s + 4 * FINE_STEP_S:
            # The look before the move came too late to be one.
            self._jitter_s = min(2 * self._jitter_s, 0.01)
            self._doubt()
        else:
            self._jitter_s *= 0.9
            self._missed_count = 0
            self._learn((low_s + high_s) / 2)
        return (low_s + high_s) / 2, (high_s - low_s) / 2

    def _doubt(self) -> None:
        """Forget a period by which move after move is missed: it was learned on a busy machine."""
        if self._missed_count >= MOST_MISSED:
            self.period_s = self._expected_s = None
            self._missed_count = 0
            self._history.clear()

    def _learn(self, move_s: float) -> None:
        """Period: slope of the located moves over their count, those between them included."""
        self._history.append(move_s)
        if len(self._history) >= FEWEST_MOVES:
            gaps_s = [after - before for before, after in pairwise(self._history)]
            rough_s = self.period_s or min(gaps_s)
            count = sum(max(1, round(gap_s / rough_s)) for gap_s in gaps_s)
            self.period_s = (self._history[-1] - self._history[0]) / count


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
