"""How well a count that costs nothing (MACs, a score) stands for measured joules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from profiler.values.estimate import Basis, Estimate, weakest
from profiler.values.statistics import t_quantile

from .judging import LESS, MORE, NO_DIFFERENCE, verdict_of

CONFIDENCE = 0.95
FEWEST_FOR_FIT = 3
FEWEST_FOR_RANK = 5
PROMISED = 0.1
"""Share by which counts must differ before equal joules are held against them."""
REVERSED: Literal["the other way round"] = "the other way round"
UNSEEN: Literal["the same by the count"] = "the same by the count"
NOT_THERE: Literal["no difference in joules"] = "no difference in joules"
Fault = Literal["the other way round", "the same by the count", "no difference in joules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySample:
    """One thing with both.

    Args:
        label: its name.
        proxy: the count; smaller is said to be better.
        energy_j: the joules of the same thing.
    """

    label: str
    proxy: float
    energy_j: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFit:
    """joules = base_j + slope_j x count.

    Args:
        base_j: joules that no count explains (launches, host, idle).
        slope_j: joules of one more.
    """

    base_j: Estimate
    slope_j: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Misordered:
    """A pair of which the proxy says something else than the joules.

    Args:
        first: the one that the proxy says is not worse; second: the other.
        ratio: joules of second / first.
        fault: what the proxy got wrong.
    """

    first: ProxySample
    second: ProxySample
    ratio: Estimate
    fault: Fault


def fit_line(samples: Sequence[ProxySample], *, unit: str) -> LineFit | None:
    """Least squares of relative errors, with Student's t intervals of both numbers at 95 %.

    Weights 1 / joules^2: a model that takes a thousand times as much must not decide alone. The
    spread is that of the samples about the line, which a count leaves unexplained; it holds that of
    the sensors. None for fewer than three samples or less than two counts.

    Args:
        samples: of one device and setting.
        unit: of the slope, such as "J/MAC".
    """
    count = len(samples)
    seen = [sample for sample in samples if sample.energy_j.point > 0]
    if count < FEWEST_FOR_FIT or len(seen) < count or len({s.proxy for s in samples}) < 2:
        return None
    weights = [1 / sample.energy_j.point**2 for sample in samples]
    whole = math.fsum(weights)
    pairs = [(sample.proxy, sample.energy_j.point) for sample in samples]
    mean_x = math.fsum(w * x for w, (x, _) in zip(weights, pairs, strict=True)) / whole
    mean_y = math.fsum(w * y for w, (_, y) in zip(weights, pairs, strict=True)) / whole
    spread = math.fsum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, pairs, strict=True))
    both = (w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, pairs, strict=True))
    slope = math.fsum(both) / spread
    base = mean_y - slope * mean_x
    rest = (w * (y - base - slope * x) ** 2 for w, (x, y) in zip(weights, pairs, strict=True))
    variance = math.fsum(rest) / (count - 2)
    quantile = t_quantile((1 + CONFIDENCE) / 2, count - 2)
    half_slope = quantile * math.sqrt(variance / spread)
    half_base = quantile * math.sqrt(variance * (1 / whole + mean_x**2 / spread))
    basis = weakest(sample.energy_j.basis for sample in samples)
    source = f"least squares over {count}, relative errors"
    return LineFit(
        base_j=_around(base, half_base, "J", basis, source),
        slope_j=_around(slope, half_slope, unit, basis, source),
    )


def _around(point: float, half: float, unit: str, basis: Basis, source: str) -> Estimate:
    return Estimate(
        point=point, low=point - half, high=point + half, unit=unit, confidence=CONFIDENCE,
        basis=basis, source=source,
    )  # fmt: skip


def rank_correlation(samples: Sequence[ProxySample]) -> Estimate | None:
    """Kendall's tau-b of count and joules: 1 where both order all pairs alike, -1 the reverse.

    The interval is that of Fisher's z with a variance of 0.437 / (n - 4) (Fieller, Hartley and
    Pearson, Biometrika 44, 1957, p. 470). A perfect order has no spread of its own: its far end is
    that of an order with one pair wrong. None for fewer than five samples, or where one of the two
    is always the same.
    """
    count = len(samples)
    if count < FEWEST_FOR_RANK:
        return None
    from scipy.stats import kendalltau

    tau = float(
        kendalltau([s.proxy for s in samples], [s.energy_j.point for s in samples]).statistic
    )
    if math.isnan(tau):
        return None
    most = 1 - 4 / (count * (count - 1))
    centre = math.atanh(max(-most, min(most, tau)))
    half = t_quantile((1 + CONFIDENCE) / 2, math.inf) * math.sqrt(0.437 / (count - 4))
    return Estimate(
        point=tau,
        low=min(tau, math.tanh(centre - half)),
        high=max(tau, math.tanh(centre + half)),
        unit="",
        confidence=CONFIDENCE,
        basis=weakest(sample.energy_j.basis for sample in samples),
        source=f"Kendall's tau-b over {count}",
    )


def misordered_pairs(
    samples: Sequence[ProxySample], ratio: Callable[[ProxySample, ProxySample], Estimate | None]
) -> tuple[Misordered, ...]:
    """Pairs that the count judges otherwise than the joules, the furthest off first.

    Args:
        samples: of one device and setting.
        ratio: joules of the second / the first, with the interval that a verdict rests on. Pairs
            without a ratio or a verdict are left out: nothing is known of them.
    """
    wrong = []
    for one, other in combinations(samples, 2):
        first, second = (one, other) if one.proxy <= other.proxy else (other, one)
        found = ratio(first, second)
        if found is None:
            continue
        fault = _fault(first.proxy, second.proxy, found)
        if fault is not None:
            wrong.append(Misordered(first=first, second=second, ratio=found, fault=fault))
    return tuple(sorted(wrong, key=_distance, reverse=True))


def _fault(first: float, second: float, ratio: Estimate) -> Fault | None:
    """What is wrong with "second takes more than first", or with "they are the same"."""
    verdict = verdict_of(ratio)
    if verdict is None or verdict == NO_DIFFERENCE:
        return None
    if first == second:
        return UNSEEN if verdict in (LESS, MORE) else None
    if verdict == LESS:
        return REVERSED
    promised = second >= (1 + PROMISED) * first
    return NOT_THERE if promised and verdict != MORE else None


def _distance(pair: Misordered) -> float:
    return abs(math.log(pair.ratio.point)) if pair.ratio.point > 0 else math.inf
