"""Sums over parts of a run, of which a small one may not have been seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from profiler.values.estimate import Estimate, total
from profiler.values.plain_text import few_digits
from profiler.values.statistics import mean_interval

Part = tuple[Estimate | None, float]
"""Joules, and the seconds in which they were drawn."""

MOST_UNSEEN_SHARE = 0.2
CONFIDENCE = 0.95


def join(parts: Sequence[Part]) -> Estimate | None:
    """Joules of all parts together.

    A part without joules is taken to have drawn the others' mean power, and the interval then
    reaches from nothing at all to the highest power among them. The same rule as for a sensor that
    was silent for a while (`profiler.inference`): None where more than a fifth of the time is
    unseen.
    """
    seen = [(energy_j, seconds) for energy_j, seconds in parts if energy_j is not None]
    if not seen:
        return None
    source = " + ".join(dict.fromkeys(energy_j.source for energy_j, _ in seen))
    known_j = total([energy_j for energy_j, _ in seen], source=source)
    unseen_s = math.fsum(seconds for energy_j, seconds in parts if energy_j is None)
    seen_s = math.fsum(seconds for _, seconds in seen)
    if known_j is None or unseen_s == 0.0:
        return known_j
    if unseen_s > MOST_UNSEEN_SHARE * (seen_s + unseen_s):
        return None
    most_w = max(energy_j.point / seconds for energy_j, seconds in seen if seconds > 0)
    return _filled(known_j, unseen_s, known_j.point / seen_s, most_w)


def _filled(known_j: Estimate, unseen_s: float, mean_w: float, most_w: float) -> Estimate:
    low_j = known_j.point if known_j.low is None else known_j.low
    high_j = known_j.point if known_j.high is None else known_j.high
    guessed_j = unseen_s * mean_w
    point_j = known_j.point + guessed_j
    weak_j = known_j.point * known_j.estimated_share + guessed_j
    return replace(
        known_j,
        point=point_j,
        low=low_j,
        high=high_j + unseen_s * max(most_w, mean_w),
        confidence=CONFIDENCE,
        source=f"{known_j.source}, {few_digits(unseen_s)} s of it unseen",
        estimated_share=weak_j / point_j if point_j > 0 else known_j.estimated_share,
    )


def mean_of(parts: Sequence[Estimate]) -> Estimate | None:
    """Mean of consecutive parts; their spread joins what the sensor leaves open about their sum.

    In quadrature, as both are independent of each other (`profiler.callcost` does the same for
    the blocks of a measurement). None of no parts.
    """
    summed = total(parts, source=" + ".join(dict.fromkeys(part.source for part in parts)))
    if summed is None:
        return None
    mean = summed.scaled(1 / len(parts), summed.unit)
    if len(parts) < 2:
        return mean
    spread = mean_interval([part.point for part in parts], CONFIDENCE)
    half = (spread.high - spread.low) / 2
    low = mean.point if mean.low is None else mean.low
    high = mean.point if mean.high is None else mean.high
    return replace(
        mean,
        low=max(0.0, mean.point - math.hypot(half, mean.point - low)),
        high=mean.point + math.hypot(half, high - mean.point),
        confidence=mean.confidence or CONFIDENCE,
    )
