"""The ratios of two profiles that were measured in turns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from profiler.values.estimate import Estimate, weakest
from profiler.values.profile import Profile
from profiler.values.rounds import in_turns, latency_ratio_of_rounds
from profiler.values.statistics import Interval

from .ratio import CONFIDENCE, log_sides

_OF_TIME = {"s": 1, "J": 1, "kWh": 1, "g": 1, "item/s": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRatios:
    """Seconds a call of other / base, round by round, and the powers of both.

    Args:
        latency_ratio: with its interval at 95 %.
        seen: the same ratio by the latencies that the profiles state.
        powers: of both; () where no sensor saw them.
    """

    latency_ratio: Interval
    seen: float
    powers: tuple[Estimate, ...]

    def ratio(self, key: str, first: Estimate, second: Estimate) -> Estimate | None:
        """The ratio of a quantity that is seconds of a call, times what is steady.

        Joules are seconds x watts, and watts hardly know of the neighbours and the heat that the
        rounds cancel: their intervals are added. None for a quantity of another kind, such as net
        joules, which may be 0.
        """
        sign = _OF_TIME.get(first.unit)
        if sign is None or key.startswith("net_") or first.point <= 0 or second.point <= 0:
            return None
        centre, *ends = (sign * math.log(end) for end in self.latency_ratio)
        watts = [] if first.unit in ("s", "item/s") else [log_sides(power) for power in self.powers]
        known = [sides for sides in watts if sides is not None]
        is_stated = len(known) == len(watts)
        below = math.hypot(centre - min(ends), *(low for low, _ in known))
        above = math.hypot(max(ends) - centre, *(high for _, high in known))
        point = second.point / first.point * math.exp(centre) / self.seen**sign
        return Estimate(
            point=point,
            low=point * math.exp(-below) if is_stated else None,
            high=point * math.exp(min(above, 700.0)) if is_stated else None,
            unit="x",
            confidence=CONFIDENCE if is_stated else None,
            basis=weakest((first.basis, second.basis)),
            source="ratio of rounds measured in turns",
            estimated_share=max(first.estimated_share, second.estimated_share),
        )


def rounds_of(base: Profile, other: Profile) -> TurnRatios | None:
    """The rounds that two profiles share; None where they were not measured in turns."""
    first, second = base.repetition, other.repetition
    if first is None or second is None or not in_turns(first, second):
        return None
    latency_ratio = latency_ratio_of_rounds(first, second)
    if latency_ratio is None or base.latency_s is None or other.latency_s is None:
        return None
    powers = tuple(power for power in (base.power_w, other.power_w) if power is not None)
    return TurnRatios(
        latency_ratio=latency_ratio,
        seen=other.latency_s.point / base.latency_s.point,
        powers=powers,
    )
