"""Two accuracies on the same images: only those that one model alone got right tell them apart."""

from __future__ import annotations

import math

from profiler.values.estimate import Estimate
from profiler.values.profile import Profile

from .judging import LESS, MORE, NO_DIFFERENCE, Verdict, verdict_of

_Z_95 = 1.959963984540054
SIGNIFICANT = 0.05


def paired_accuracy(base: Profile, other: Profile) -> tuple[Estimate, Verdict] | None:
    """Ratio of the accuracies of other / base and its verdict, image by image.

    The test is McNemar's, exact (Psychometrika 12, 1947, p. 153): of the images that one model
    alone got right, were half each one's? The interval is that of matched pairs, on the logarithm,
    with the variance (b + c) / (right of base x right of other) (Nam and Blackwelder, Statistics in
    Medicine 21, 2002, p. 689). A verdict needs both. None where the answers to each image of the
    same split are not known of both, or one got none right.
    """
    if base.accuracy_data != other.accuracy_data or not base.right_answers:
        return None
    if not other.right_answers or len(base.right_answers) != len(other.right_answers):
        return None
    first, second = int(base.right_answers, 16), int(other.right_answers, 16)
    right_first, right_second = first.bit_count(), second.bit_count()
    only_first, only_second = (first & ~second).bit_count(), (second & ~first).bit_count()
    if not right_first or not right_second or base.accuracy is None or other.accuracy is None:
        return None
    point = right_second / right_first
    apart = only_first + only_second
    factor = math.exp(_Z_95 * math.sqrt(apart / (right_first * right_second)))
    p_value = _mcnemar(only_first, only_second)
    ratio = Estimate(
        point=point,
        low=point / factor,
        high=point * factor,
        unit="x",
        confidence=0.95 if apart else 1.0,
        basis=base.accuracy.basis,
        source=f"the same images: {only_first:,} right by the first alone, {only_second:,} by the "
        f"second alone, McNemar p = {p_value:.2g}",
    )
    is_apart = p_value < SIGNIFICANT and not point / factor <= 1 <= point * factor
    if is_apart:
        return ratio, LESS if point < 1 else MORE
    word = verdict_of(ratio)
    return ratio, NO_DIFFERENCE if word is None or word in (LESS, MORE) else word


def _mcnemar(first: int, second: int) -> float:
    """Two-sided p of a split as uneven as this one, or more so, if each were as likely."""
    from scipy.stats import binomtest

    return float(binomtest(min(first, second), first + second).pvalue) if first + second else 1.0
