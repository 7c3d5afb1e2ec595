"""Statistics of repeated blocks: means and medians with intervals, and whether there is a trend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

FEWEST_FOR_CORRELATION = 4
FEWEST_FOR_MEDIAN = 6
FEWEST_FOR_RANK_CORRELATION = 5
MINIMUM_EFFECTIVE_COUNT = 1.5
FEWEST_DEGREES_OF_FREEDOM = 3.0
TREND_SIGNIFICANCE = 0.05
TRIMMED_SHARE = 0.2


class Interval(NamedTuple):
    """A point with the two ends of its interval."""

    point: float
    low: float
    high: float


def t_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Quantile of Student's t distribution; the normal one for infinite degrees of freedom."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees_of_freedom):
        return float(ndtri(probability))
    return float(stdtrit(degrees_of_freedom, probability))


def effective_count(values: Sequence[float]) -> float:
    """Number of independent values that would tell as much about the mean as these do.

    n / (1 + 2 sum over k of (1 - k / n) r^k), for values that resemble their neighbours with a
    correlation r and those further off with its powers (Law, Simulation Modeling and Analysis,
    5th ed., 2015, section 4.4). A short series shows less of r than there is, about (1 + 3 r) / n,
    which is given back (Kendall, Biometrika 41, 1954, p. 403). Never more than n: negative
    correlation of a short series is not believed.
    """
    count = len(values)
    if count < FEWEST_FOR_CORRELATION:
        return float(count)
    mean = math.fsum(values) / count
    off = [value - mean for value in values]
    spread = math.fsum(x * x for x in off)
    if spread <= 0:
        return float(count)
    seen = math.fsum(a * b for a, b in pairwise(off)) / spread
    alike = min(max(seen + (1 + 3 * seen) / count, 0.0), 1 - 2 / count)
    inflation = 1 + 2 * math.fsum((1 - k / count) * alike**k for k in range(1, count))
    return max(count / inflation, MINIMUM_EFFECTIVE_COUNT)


def mean_interval(
    values: Sequence[float],
    confidence: float = 0.95,
    weights: Sequence[float] | None = None,
) -> Interval:
    """Mean of consecutive blocks and its interval.

    Student's t with the effective number of blocks, so that blocks that resemble their neighbours
    do not count in full (Law, Simulation Modeling and Analysis, 5th ed., 2015, section 9.5). One
    value alone has an infinite interval.

    Args:
        values: in the order in which they were measured.
        confidence: coverage wanted.
        weights: relative worth of each value, such as the length of its block.

    Raises:
        ValueError: no values, or weights that do not fit them.
    """
    if not values:
        raise ValueError("no values to average")
    if weights is not None and (len(weights) != len(values) or min(weights) <= 0):
        raise ValueError("weights are positive, one for each value")
    worth = [1.0] * len(values) if weights is None else list(weights)
    total = math.fsum(worth)
    point = math.fsum(w * value for w, value in zip(worth, values, strict=True)) / total
    if len(values) < 2:
        return Interval(point, -math.inf, math.inf)
    spread = math.fsum(w * (value - point) ** 2 for w, value in zip(worth, values, strict=True))
    alike = total**2 / math.fsum(w * w for w in worth)
    count = max(effective_count(values) * alike / len(values), MINIMUM_EFFECTIVE_COUNT)
    variance = spread / total * count / (count - 1)
    # The variance itself comes from all values, however much they resemble each other.
    freedom = max(count - 1, min(len(values) - 1, FEWEST_DEGREES_OF_FREEDOM))
    half = t_quantile((1 + confidence) / 2, freedom) * math.sqrt(variance / count)
    return Interval(point, point - half, point + half)


def student_half_width(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Half the width of Student's t interval of the mean of independent values; None for one."""
    count = len(values)
    if count < 2:
        return None
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return t_quantile((1 + confidence) / 2, count - 1) * math.sqrt(variance / count)


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Median and its interval, whatever the distribution.

    Order statistics by the binomial distribution, interpolated to the confidence asked for
    (Hettmansperger and Sheather, Statistics and Probability Letters 4, 1986, p. 75). With too few
    values for it the whole range is the interval, and one value alone has an infinite one.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values to take the median of")
    ordered = sorted(values)
    count = len(ordered)
    point = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    if count < 2:
        return Interval(point, -math.inf, math.inf)
    depth = 0
    while depth + 1 < (count + 1) // 2 and _between(count, depth + 2) >= confidence:
        depth += 1
    outer, inner = _between(count, depth + 1), _between(count, depth + 2)
    if outer <= confidence or depth + 1 >= (count + 1) // 2:
        return Interval(point, ordered[depth], ordered[count - 1 - depth])
    share = (outer - confidence) / (outer - inner)
    weight = (count - depth - 1) * share / (depth + 1 + (count - 2 * (depth + 1)) * share)
    low = (1 - weight) * ordered[depth] + weight * ordered[depth + 1]
    high = (1 - weight) * ordered[count - 1 - depth] + weight * ordered[count - 2 - depth]
    return Interval(point, min(low, point), max(high, point))


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> Interval:
    """Share of right answers and its score interval (Wilson, JASA 22, 1927, p. 209).

    It stays inside [0, 1], is not empty at 0 or 1, and holds for few images as well.

    Raises:
        ValueError: `total` is below 1, or `correct` is not between 0 and `total`.
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"{correct} right answers of {total} are not possible")
    # Not scipy's binomtest, for which every training and evaluation would import scipy.stats.
    share, z = correct / total, t_quantile(0.5 + confidence / 2, math.inf)
    shrink = 1 + z**2 / total
    centre = (share + z**2 / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    # Rounding must not leave the share outside, nor the ends outside of what a share can be.
    return Interval(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def _between(count: int, rank: int) -> float:
    """Probability that the median lies between the rank-th smallest and largest of `count`."""
    below = math.fsum(math.comb(count, k) * 0.5**count for k in range(rank))
    return 1 - 2 * below


def block_interval(values: Sequence[float]) -> Interval:
    """Centre of the blocks of one process: their median, robust against a few that were disturbed.

    The interval of the median is widened where blocks resemble their neighbours. Fewer than
    `FEWEST_FOR_MEDIAN` cannot bound a median with 95 % confidence: their mean is taken, with the
    interval of Student's t.
    """
    if len(values) < FEWEST_FOR_MEDIAN:
        return mean_interval(values)
    point, low, high = median_interval(values)
    inflation = math.sqrt(len(values) / effective_count(values))
    return Interval(point, point - inflation * (point - low), point + inflation * (high - point))


def trimmed_interval(values: Sequence[float]) -> Interval:
    """Mean of the middle three fifths of consecutive values, with its interval at 95 %.

    Less is lost than with the median where few values are far off, and a cost that comes in every
    second or third value is not lost at all. The spread is that of the values with the outer fifths
    pulled in (Tukey and McLaughlin, Sankhya A 25, 1963, p. 331; Yuen, Biometrika 61, 1974, p. 165),
    widened where they resemble their neighbours. Fewer than `FEWEST_FOR_MEDIAN` are averaged.
    """
    count = len(values)
    if count < FEWEST_FOR_MEDIAN:
        return mean_interval(values)
    cut, ordered = int(TRIMMED_SHARE * count), sorted(values)
    low, high = ordered[cut], ordered[count - 1 - cut]
    kept = count - 2 * cut
    point = math.fsum(ordered[cut : count - cut]) / kept
    pulled = [min(max(value, low), high) for value in values]
    mean = math.fsum(pulled) / count
    variance = math.fsum((value - mean) ** 2 for value in pulled) / (count - 1)
    error = math.sqrt(variance / effective_count(pulled)) * count / kept
    half = t_quantile(0.975, kept - 1) * error
    return Interval(point, point - half, point + half)


def process_interval(
    values: Sequence[float],
    processes: Sequence[int],
    of_blocks: Callable[[Sequence[float]], Interval] = block_interval,
) -> Interval:
    """Mean over processes of the centre of each one's blocks, with its interval at 95 %.

    A process settles into a state of its own (memory layout, placement), which all its blocks
    share, so that the independent values are the centres of the processes, not the blocks: random
    effects, Student's t on the centres (Kalibera and Jones, "Rigorous benchmarking in reasonable
    time", ISMM 2013). The processes run by turns: what drifts moves all of them alike, and is seen
    in the blocks only, so that the interval is never narrower than that of the blocks together.

    Args:
        values: one a block, in the order in which they were measured.
        processes: the process of each.
        of_blocks: centre and interval of the values of one process.

    Raises:
        ValueError: no values, or not one process for each.
    """
    if not values or len(values) != len(processes):
        raise ValueError("there is one process for each of at least one value")
    groups: dict[int, list[float]] = {}
    for value, process in zip(values, processes, strict=True):
        groups.setdefault(process, []).append(value)
    if len(groups) == 1:
        return of_blocks(values)
    centres = {process: of_blocks(group).point for process, group in groups.items()}
    count = len(centres)
    point = math.fsum(centres.values()) / count
    variance = math.fsum((centre - point) ** 2 for centre in centres.values()) / (count - 1)
    between = t_quantile(0.975, count - 1) * math.sqrt(variance / count)
    if len(values) == count:
        return Interval(point, point - between, point + between)
    off = [value - centres[process] for value, process in zip(values, processes, strict=True)]
    within = of_blocks(off)
    return Interval(
        point,
        point - max(between, within.point - within.low),
        point + max(between, within.high - within.point),
    )


def has_trend(values: Sequence[float], significance: float = TREND_SIGNIFICANCE) -> bool:
    """Whether consecutive values rise or fall more than chance would have them.

    Mann-Kendall: any monotone trend, no distribution assumed (Mann, Econometrica 13, 1945, p. 245;
    variance with ties by Kendall, Rank Correlation Methods, 4th ed., 1975). Fewer than four values
    cannot show a trend at 5 %.
    """
    count = len(values)
    if count < 4:
        return False
    score = sum(
        int(later > earlier) - int(later < earlier)
        for place, earlier in enumerate(values)
        for later in values[place + 1 :]
    )
    ties = [values.count(value) for value in set(values)]
    variance = count * (count - 1) * (2 * count + 5) - sum(
        tie * (tie - 1) * (2 * tie + 5) for tie in ties
    )
    if variance <= 0:
        return False
    z = max(abs(score) - 1, 0) / math.sqrt(variance / 18)
    return math.erfc(z / math.sqrt(2)) < significance


def rank_correlation(
    first: Sequence[float], second: Sequence[float], confidence: float = 0.95
) -> Interval | None:
    """Spearman's rank correlation of independent pairs, and its interval.

    By Fisher's z with the variance (1 + r^2 / 2) / (n - 3) (Bonett and Wright, Psychometrika 65,
    2000, p. 23), which is wider than that of Pearson's where ranks agree.

    Returns:
        None where one side is the same throughout, and orders nothing.

    Raises:
        ValueError: too few pairs, or not one value of each side for each.
    """
    count = len(first)
    if count < FEWEST_FOR_RANK_CORRELATION or len(second) != count:
        raise ValueError(f"{count} and {len(second)} values make no rank correlation")
    if len(set(first)) == 1 or len(set(second)) == 1:
        return None
    from scipy.stats import spearmanr

    point = min(1.0, max(-1.0, float(spearmanr(first, second).statistic)))
    # Ranks that agree throughout leave z infinite; as far as n pairs can tell r is below 1 - 1/n^2.
    inside = max(min(point, 1 - 1 / count**2), 1 / count**2 - 1)
    half = t_quantile((1 + confidence) / 2, math.inf) * math.sqrt((1 + inside**2 / 2) / (count - 3))
    low, high = (math.tanh(math.atanh(inside) + side * half) for side in (-1, 1))
    return Interval(point, min(low, point), max(high, point))
