"""Edges that lie far off the changes of power, rarely: a thread that was not run for some ms.

How far edges usually stray is learned as a part of the power (`strays.py`), and a normal number
knows no rare one far beyond it. So each edge is usual or, now and then, rare: a scale mixture
(West, Biometrika 74, 1987, p. 646). Which of the two, the counter tells where the power beside an
edge is known. Where it does not, the edge keeps the share of rare ones among all edges, and that
of its prior where none is seen well: on power that is nowhere alike, no slow counter tells late
edges from punctual ones, and the interval has to hold for either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .moves import Floats
from .segment_model import Posterior

# Shares of edges that stray by each of `RARE_S`, as if so many edges had been seen before.
PRIOR_SHARES, PRIOR_COUNT = np.array([0.2, 0.2]), 10.0
ROUND_COUNT = 30
HALVING_COUNT = 30
CONFIDENCE = 0.95


def chances_of_rare(posteriors: Sequence[Posterior]) -> list[Floats]:
    """For each panel, the probability that each edge strays far, shape (scales, 2, edges) each.

    Axes as those of `Posterior.rare_odds`. The shares of rare edges are the mode of their
    posterior, found by expectation maximisation (Dempster, Laird and Rubin, Journal of the Royal
    Statistical Society B 39, 1977).
    """
    edges_s = np.concatenate([posterior.edges_s for posterior in posteriors])
    odds = np.concatenate([posterior.rare_odds for posterior in posteriors], axis=2)
    # An edge of the surroundings of one panel is one of another's own.
    _, first = np.unique(edges_s, return_index=True)
    shares = PRIOR_SHARES
    for _ in range(ROUND_COUNT):
        seen = _chances(odds[:, :, first], shares).sum(axis=(1, 2))
        shares = (PRIOR_SHARES * PRIOR_COUNT + seen) / (PRIOR_COUNT + len(first))
    return [_chances(posterior.rare_odds, shares) for posterior in posteriors]


def _chances(odds: Floats, shares: Floats) -> Floats:
    sides = shares[:, None, None] / 2 * odds
    chances: Floats = sides / (1 - shares.sum() + sides.sum(axis=(0, 1)))
    return chances


def mixed_deviation(usual2: Floats, rare2: Floats, rare4: Floats) -> Floats:
    """Deviation of the normal numbers with the 95 % intervals of mixtures, shape (targets,).

    Args:
        usual2: variance without rare strays.
        rare2: shape (scales, targets), sum over edges of the chance of a rare stray, times its
            variance.
        rare4: sum of these chances, times the squares of the variances.
    """
    from scipy.special import ndtri

    found = np.sqrt(usual2)
    mixed = rare2.any(axis=0)
    half = _half_width(*_mixture(usual2[mixed], rare2[:, mixed], rare4[:, mixed]))
    found[mixed] = half / ndtri((1 + CONFIDENCE) / 2)
    return found


def _mixture(usual2: Floats, rare2: Floats, rare4: Floats) -> tuple[Floats, Floats]:
    """Weights and deviations of normal numbers around 0, shape (1 + scales, targets) each."""
    # As many edges as contribute: one chance of 10 % is a mixture, a hundred of them nearly normal.
    count = rare2**2 / np.maximum(rare4, 1e-300)
    chance = -np.expm1(-count)
    weights, variances = [np.ones(len(usual2))], [usual2]
    for own2, of_any in zip(rare2, chance, strict=True):
        # Wider ones come on top of narrower ones.
        below2 = sum(w * v for w, v in zip(weights, variances, strict=True))
        weights = [w * (1 - of_any) for w in weights] + [of_any]
        variances = [*variances, below2 + own2 / np.maximum(of_any, 1e-300)]
    return np.stack(weights), np.sqrt(np.stack(variances))


def _half_width(weights: Floats, deviations: Floats) -> Floats:
    """What 95 % of a mixture of normal numbers around 0 lie within, by bisection."""
    from scipy.special import ndtr

    low, high = np.zeros(weights.shape[1]), 4 * deviations.max(axis=0)
    for _ in range(HALVING_COUNT):
        middle = (low + high) / 2
        beyond = 2 * np.sum(weights * ndtr(-middle / np.maximum(deviations, 1e-150)), axis=0)
        low = np.where(beyond > 1 - CONFIDENCE, middle, low)
        high = np.where(beyond > 1 - CONFIDENCE, high, middle)
    found: Floats = high
    return found
