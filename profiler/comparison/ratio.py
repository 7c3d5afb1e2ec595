"""The ratio of two numbers, its interval built on the logarithm, where errors of a quotient add."""

from __future__ import annotations

import math

from profiler.values.estimate import Estimate, weakest

CONFIDENCE = 0.95
_Z_95 = 1.959963984540054


def ratio_of(
    base: Estimate, other: Estimate, *, noise: float = 0.0, same_sensor: bool = True
) -> Estimate | None:
    """The ratio other / base at 95 %; see `profiler.comparison` for the errors that enter.

    Args:
        base: the denominator, positive.
        other: the numerator, not negative.
        noise: relative standard deviation of the ratio from run to run, both runs together.
        same_sensor: whether the sensor's systematic error cancels.

    Returns:
        None where base is not positive or other is negative. An interval is stated only where both
        state one; an end of it is 0 or infinite where an interval reaches 0.
    """
    if base.point <= 0 or other.point < 0 or not math.isfinite(base.point + other.point):
        return None
    point = other.point / base.point
    low, high = _log_interval(base, other, noise, same_sensor)
    exact = low == high == 0.0 and base.confidence == other.confidence == 1.0
    stated = low is not None and high is not None
    spread = f"; run-to-run sd of the ratio taken as {noise:.3g}" if noise else ""
    return Estimate(
        point=point,
        low=point * math.exp(-low) if low is not None else None,
        high=_times_exp(point, high) if high is not None else None,
        unit="x",
        confidence=1.0 if exact else CONFIDENCE if stated else None,
        basis=weakest((base.basis, other.basis)),
        source=f"ratio of two runs{spread}",
        estimated_share=max(base.estimated_share, other.estimated_share),
    )


def _log_interval(
    base: Estimate, other: Estimate, noise: float, same_sensor: bool
) -> tuple[float | None, float | None]:
    """Distances of both ends of ln(ratio) from its centre; None where none is stated."""
    first, second = log_sides(base), log_sides(other)
    if first is None or second is None:
        return None, None
    extra = [_Z_95 * noise]
    if not same_sensor:
        extra += [math.log1p(part.systematic) for part in (base, other) if part.systematic]
    return math.hypot(second[0], first[1], *extra), math.hypot(second[1], first[0], *extra)


def log_sides(estimate: Estimate) -> tuple[float, float] | None:
    """Distances of low and high from the point on the logarithm, brought to 95 %."""
    low, high, point = estimate.low, estimate.high, estimate.point
    if low is None or high is None:
        return None
    if low == high:
        return 0.0, 0.0
    to_95 = _Z_95 / _z(estimate.confidence)
    below = math.log(point / low) * to_95 if low > 0 else math.inf
    above = math.log(high / point) * to_95 if point > 0 else math.inf
    return max(below, 0.0), max(above, 0.0)


def _z(confidence: float | None) -> float:
    """Half width of a normal interval in standard deviations.

    An interval that is certain (1.0: a bracket between two moves of a counter) or of unknown
    confidence is used as it stands.
    """
    if confidence is None or confidence == CONFIDENCE or not 0 < confidence < 1:
        return _Z_95
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _times_exp(point: float, exponent: float) -> float:
    return point * math.exp(exponent) if exponent < 700 and point else math.inf
