"""How the sensors of a device follow a known load: how late, and how much of it they see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .estimate import Estimate

PART_TIME_SHARE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorResponse:
    """What bursts of a load, and steps of it, showed of the sensors of one device.

    Args:
        load: what the device did, in words.
        period_s: between two moves of the energy counter, while idle.
        burst_s: length of the bursts.
        burst_period_s: from one burst to the next: a little more than the counter's period, so
            that every phase between both occurs.
        idle_w: power between loads, by the counter.
        loaded_w: power under the steady load, by the counter.
        counter_swing: how far the counter's power goes up and down with that phase, as a share of
            loaded less idle power. About 0.03 where it sees everything; 1 where it looks for less
            than a burst.
        power_swing: the same of the instant power; None where there is none.
        counter_look_s: for how long of each period the counter looks, by its swing; None where the
            swing does not tell. Where it is 1, no more than `burst_s`.
        delays_s: by the name of a reading, how late it is on the mean after a step of the load.
    """

    load: str
    period_s: float
    burst_s: float
    burst_period_s: float
    idle_w: Estimate
    loaded_w: Estimate
    counter_swing: Estimate
    power_swing: Estimate | None
    counter_look_s: Estimate | None
    delays_s: Mapping[str, Estimate]

    @property
    def is_part_time(self) -> bool | None:
        """Whether the counter looks at a part of each period only; None where that is open."""
        look_s, least_s = self.counter_look_s, PART_TIME_SHARE * self.period_s
        if look_s is None or look_s.low is None or look_s.high is None:
            return None
        if look_s.high < least_s:
            return True
        return False if look_s.low > least_s else None
