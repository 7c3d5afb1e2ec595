"""Intervals of many rows from few processes: the rows tell one another how much processes differ.

Three processes alone tell a row's spread so badly that Student's t asks for 4.3 times it. The rows
of a table are spread alike, more or less, so that each one's variance is drawn towards the usual
one, as far as the rows bear out that there is one, and t has the degrees of freedom of both: the
moderated t of Smyth (Statistical Applications in Genetics and Molecular Biology 3, 2004, article 3,
section 6). A row whose processes settled into other states than the rest keeps its own.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, polygamma

from profiler.values.statistics import t_quantile

from .trimmed_mean import Floats

FEWEST_ROWS = 5
NOTABLE_SHARE = 0.01
NEWTON_STEPS = 20
UNUSUAL_FOLD = 4.0
"""Times the usual variance; of rows that are spread alike 2 % of three processes are beyond it."""


def half_widths_of_shares(shares: Floats) -> Floats:
    """Half widths of the 95 % intervals of the rows' mean shares.

    Args:
        shares: shape (processes, rows), of each row in the sum of the rows; two processes or more.

    Returns:
        Shape (rows,). Rows below a hundredth, and those of a table with few others, have Student's
        t on their own spread.
    """
    count = len(shares)
    freedom = count - 1
    variances = shares.var(axis=0, ddof=1)
    half = t_quantile(0.975, freedom) * np.sqrt(variances / count)
    means = shares.mean(axis=0)
    notable = (means >= NOTABLE_SHARE) & (variances > 0)
    if notable.sum() < FEWEST_ROWS:
        return np.asarray(half)
    relative = variances[notable] / means[notable] ** 2
    prior, prior_freedom = _usual_variance(relative, freedom)
    joined = prior_freedom + freedom
    moderated = (prior_freedom * prior + freedom * relative) / joined
    shared = means[notable] * t_quantile(0.975, joined) * np.sqrt(moderated / count)
    half[notable] = np.where(relative > UNUSUAL_FOLD * prior, half[notable], shared)
    return np.asarray(half)


def _usual_variance(variances: Floats, freedom: int) -> tuple[float, float]:
    """The usual variance of the rows, and the degrees of freedom that it is worth."""
    logs = np.log(variances) - digamma(freedom / 2) + np.log(freedom / 2)
    beyond_chance = float(logs.var(ddof=1) - polygamma(1, freedom / 2))
    # The rows are no more independent than their number, whatever their spread looks like.
    most = float(freedom * (len(variances) - 1))
    worth = most if beyond_chance <= 0 else min(most, 2 * _trigamma_inverse(beyond_chance))
    prior = float(np.exp(logs.mean() + digamma(worth / 2) - np.log(worth / 2)))
    return prior, worth


def _trigamma_inverse(value: float) -> float:
    """The x whose trigamma is `value`, by Newton's method on the reciprocal, which is convex."""
    x = 0.5 + 1 / value
    for _ in range(NEWTON_STEPS):
        trigamma = float(polygamma(1, x))
        x += trigamma * (1 - trigamma / value) / float(polygamma(2, x))
    return x
