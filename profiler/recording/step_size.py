"""The smallest step of a counter, learnt from the steps that it makes."""

from __future__ import annotations

import math

from profiler.values.trace import Channel

FINEST_J = 1e-6
FEWEST_STEPS = 8
FEWEST_KINDS = 4
FEWEST_STILL = 3
MANY_STEPS = 50
COARSE_UPDATES = 3.0


class StepSize:
    """Watches the steps of one counter.

    Some counters move in far larger steps than their files could show: a platform's in whole
    joules. What all steps are multiples of is the true resolution, once the steps are of several
    kinds; of equal steps nobody can tell whether the power is constant.
    """

    def __init__(self, channel: Channel) -> None:
        self._unit_j = channel.resolution_j or FINEST_J
        self._stated_j = channel.resolution_j
        self._update_period_s = channel.update_period_s
        self._divisor = 0
        self._step_count = 0
        self._multiples: set[int] = set()
        self._still_count = 0

    def moved(self, step_j: float) -> None:
        """Take in one step upwards."""
        units = round(step_j / self._unit_j)
        if units <= 0 or self._divisor == 1:
            return
        self._step_count += 1
        self._divisor = math.gcd(self._divisor, units)
        if len(self._multiples) < FEWEST_KINDS:
            self._multiples.add(units)

    def stood_still(self) -> None:
        """A read later than a whole update period showed the same value."""
        self._still_count += 1

    def learnt_j(self, power_w: float, *, streaming: bool) -> float | None:
        """The resolution, the stated one until the steps say that it is coarser.

        Args:
            power_w: mean power so far.
            streaming: whether the counter is read less often than it moves. Steps of an ordinary
                one are multiples of the energy of an update where the power is constant, so that
                only a much coarser one is believed.
        """
        divisor_j = self._divisor * self._unit_j
        if self._divisor <= 1 or self._step_count < FEWEST_STEPS:
            return self._stated_j
        if not streaming:
            return divisor_j if len(self._multiples) >= FEWEST_KINDS else self._stated_j
        is_coarse = divisor_j > COARSE_UPDATES * power_w * (self._update_period_s or 0.0)
        several = (
            len(self._multiples) >= FEWEST_KINDS - 1
            or self._still_count >= FEWEST_STILL
            or (len(self._multiples) > 1 and self._step_count >= MANY_STEPS)
        )
        return divisor_j if is_coarse and several else self._stated_j
