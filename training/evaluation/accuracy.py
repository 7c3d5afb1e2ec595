"""Shares of right answers, and calibration, as Estimates: pure arithmetic on counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from profiler.values.estimate import Basis, Estimate, weakest
from profiler.values.statistics import student_half_width, wilson_interval

CONFIDENCE = 0.95


def top1_accuracy(correct: int, total: int, source: str) -> Estimate:
    """Share of right answers of one model, with its 95 % Wilson interval.

    The interval is that of the images: how far another sample of as many images from the same
    population would move it. Another seed of the training moves it as well, which only several
    trainings show: see `accuracy_over_seeds`.

    Args:
        correct: images whose first guess was right.
        total: images evaluated.
        source: data and count of images, for a report.

    Raises:
        ValueError: the counts are not possible.
    """
    share, low, high = wilson_interval(correct, total)
    return Estimate(
        point=share, low=low, high=high, unit="", confidence=CONFIDENCE,
        basis=Basis.MEASURED, source=source,
    )  # fmt: skip


def accuracy_over_seeds(accuracies: Sequence[float], source: str) -> Estimate:
    """Mean accuracy over trainings that differ in their seed alone, with Student's t interval.

    One training alone has no interval over seeds: its ends are None.

    Raises:
        ValueError: no accuracies, or one outside [0, 1].
    """
    if not accuracies or not all(0 <= value <= 1 for value in accuracies):
        raise ValueError(f"accuracies are between 0 and 1, at least one: {list(accuracies)}")
    mean, half = _mean_and_half_width(accuracies)
    return Estimate(
        point=mean,
        low=None if half is None else max(0.0, mean - half),
        high=None if half is None else min(1.0, mean + half),
        unit="",
        confidence=None if half is None else CONFIDENCE,
        basis=Basis.MEASURED,
        source=source,
    )


def mean_loss(losses: Sequence[float], source: str) -> Estimate:
    """Mean over images, in nats, with Student's t interval; one image alone has none.

    Raises:
        ValueError: no losses.
    """
    if not losses:
        raise ValueError("no losses to average")
    mean, half = _mean_and_half_width(losses)
    return Estimate(
        point=mean,
        low=None if half is None else max(0.0, mean - half),
        high=None if half is None else mean + half,
        unit="nat",
        confidence=None if half is None else CONFIDENCE,
        basis=Basis.MEASURED,
        source=source,
    )


def _mean_and_half_width(values: Sequence[float]) -> tuple[float, float | None]:
    mean = math.fsum(values) / len(values)
    return mean, student_half_width(values, CONFIDENCE)


def accuracy_difference(base: Estimate, other: Estimate) -> Estimate:
    """Accuracy of `other` less that of `base`, with Newcombe's interval.

    Newcombe, "Interval estimation for the difference between independent proportions", Statistics
    in Medicine 17 (1998), method 10: from the two Wilson intervals. Where both were tested on the
    same images it is wider than it need be.
    """
    point = other.point - base.point
    low, high = None, None
    if None not in (base.low, base.high, other.low, other.high):
        assert base.low is not None
        assert base.high is not None
        assert other.low is not None
        assert other.high is not None
        low = point - math.hypot(other.point - other.low, base.high - base.point)
        high = point + math.hypot(other.high - other.point, base.point - base.low)
    return Estimate(
        point=point,
        low=low,
        high=high,
        unit=base.unit,
        confidence=None if low is None else base.confidence,
        basis=weakest([base.basis, other.basis]),
        source="difference of two accuracies, Newcombe's interval",
    )
