"""The 95 % interval of a mixture of t densities inside guaranteed bounds."""

from __future__ import annotations

import math

import numpy as np

from .moves import Floats

TAIL = 0.025
HALVING_COUNT = 60
# The spread of each density comes from a few tens of intervals: t, not normal, tails.
DEGREES_OF_FREEDOM = 16.0


def truncated_interval(
    shares: Floats, means: Floats, deviations: Floats, bounds: tuple[float, float]
) -> tuple[float, float, float]:
    """Median and the 2.5 % and 97.5 % quantiles: (median, low, high).

    Args:
        shares: shape (k,), weights that sum to 1.
        means: shape (k,).
        deviations: shape (k,).
        bounds: lowest and highest possible value; the density outside is cut off.
    """
    from scipy.special import stdtr

    deviations = np.maximum(deviations, 1e-12)
    reach = 40 * float(deviations.max())
    low = max(bounds[0], float(means.min()) - reach)
    high = min(bounds[1], float(means.max()) + reach)
    if low >= high:
        edge = bounds[0] if float(shares @ means) < bounds[0] else bounds[1]
        return edge, edge, edge

    def below(value: float) -> float:
        return float(shares @ stdtr(DEGREES_OF_FREEDOM, (value - means) / deviations))

    bottom, top = below(low), below(high)
    if top - bottom < 1e-6:
        middle = min(max(float(shares @ means), low), high)
        return middle, low, high

    def quantile(probability: float) -> float:
        wanted = bottom + probability * (top - bottom)
        left, right = low, high
        for _ in range(HALVING_COUNT):
            middle = (left + right) / 2
            left, right = (middle, right) if below(middle) < wanted else (left, middle)
            if math.isclose(left, right, rel_tol=1e-12):
                break
        return (left + right) / 2

    return quantile(0.5), quantile(TAIL), quantile(1 - TAIL)
