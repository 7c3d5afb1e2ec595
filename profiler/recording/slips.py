"""Counters that show a wrong value for a moment, and go on from the right one."""

from __future__ import annotations

import math
from dataclasses import dataclass

LONGEST_DIP_S = 10.0
LONGEST_SPIKE_S = 2.0
SUDDEN = 2.0
LEAST_SUDDEN_W = 50.0
SURPRISE = 3.0
SPIKE_SHARE = 0.5
UNKNOWN_POWER_W = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The state of a log before a step that may turn out to have been a slip.

    Args:
        raw_j: the last value before it.
        start_s: when that was read.
        length: moves in the log.
        offset_j: from raw values to joules.
        epoch: of the moves.
        fault_count: faults noted.
        power_w: mean power of late; None where nothing is known yet.
        jump_j: how far the value rose in the step; below 0 where it fell.
        may_be_reset: whether it fell so low that the counter may have begun again from 0.
    """

    raw_j: float
    start_s: float
    length: int
    offset_j: float
    epoch: int
    fault_count: int
    power_w: float | None
    jump_j: float
    may_be_reset: bool = False

    @property
    def fell(self) -> bool:
        """Whether the value fell; it rose suddenly otherwise."""
        return self.jump_j < 0

    def is_current(self, now_s: float) -> bool:
        """Whether the step is recent enough to be called a moment's slip."""
        return now_s - self.start_s <= (LONGEST_DIP_S if self.fell else LONGEST_SPIKE_S)

    def is_resumed(
        self, raw_j: float, now_s: float, *, previous_j: float, span_s: float, period_s: float
    ) -> bool:
        """Whether a value continues from before the slip rather than from the value just before.

        Each would have gained something between nothing and a few times the usual power since.
        Where both fit, a counter that may have begun again from 0 has done so; for any other, what
        asks for the more usual power is believed.

        Args:
            raw_j: the value now, not below the one before the slip.
            now_s: when it was read.
            previous_j: the value just before.
            span_s: how long ago that was.
            period_s: update period of the counter.
        """
        power_w = UNKNOWN_POWER_W if self.power_w is None else self.power_w
        since_j, usual_since_j = raw_j - self.raw_j, power_w * (now_s - self.start_s)
        step_j, usual_step_j = raw_j - previous_j, power_w * span_s
        slack_j = SURPRISE * power_w * period_s
        from_before = _beyond(since_j, SURPRISE * usual_since_j + slack_j)
        from_previous = _beyond(step_j, SURPRISE * usual_step_j + slack_j)
        if not self.fell:
            takes_back = previous_j - raw_j >= SPIKE_SHARE * self.jump_j
            return takes_back and from_before == 0.0
        if from_before == from_previous:
            is_closer = abs(since_j - usual_since_j) < abs(step_j - usual_step_j)
            return is_closer and not self.may_be_reset
        return from_before < from_previous


def is_sudden(step_w: float, usual_w: float | None) -> bool:
    """Whether a step asks for so much more than the usual power that it may be a spike."""
    return usual_w is not None and step_w > max(SUDDEN * usual_w, LEAST_SUDDEN_W)


def _beyond(gain_j: float, most_j: float) -> float:
    """By how much a gain lies outside [0, most_j]; infinite for a loss."""
    return math.inf if gain_j < 0 else max(0.0, gain_j - most_j)
