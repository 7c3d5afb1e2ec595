"""How far behind its moves a counter is, found from the power steps at the edges of windows.

Some sensors show at a move the energy of an instant some milliseconds before it. Energy then seems
to arrive late at every edge. The likelihood of the whole recording tells which lag explains that
best, and how sure it is. Work that goes on after its window was closed, always by the same time,
looks no different: synchronize the device before a window closes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from .moves import Floats, Moves
from .panel import NO_LAG, Lag
from .segment_model import Model
from .strengths import USUAL_STRENGTHS, Setting, likeliest

COARSE_STEP_S = 0.004
FINE_STEP_S = 0.001
NEGLIGIBLE = 0.03
HOPELESS = 20.0
MOST_OF_ONE = 3.0
NO_LAG_SHARE = 0.5
Shares = Sequence[tuple[float, Lag]]


def plausible_lags(
    models_of: Callable[[Lag], Sequence[Model]],
    settings_of: Callable[[Lag], Sequence[Setting]],
    longest_s: float,
) -> Shares:
    """Lags with their probabilities, the likeliest first.

    Half of the prior is on no lag at all, the rest is spread evenly up to `longest_s`. Each lag
    stands for its surroundings too: what is left of it is part of the model (`Lag.deviation_s`).

    Args:
        models_of: the models of some panels for a given lag.
        settings_of: what is learned about their strengths.
        longest_s: longest lag to consider; no more than a part of the counter's period.
    """
    count = int(longest_s / COARSE_STEP_S)
    if count < 1:
        return [(1.0, NO_LAG)]
    settings = [USUAL_STRENGTHS, likeliest(settings_of(NO_LAG))]
    lags, found = [NO_LAG], [_evidence(models_of(NO_LAG), settings)]
    for k in range(count + 1):
        lags.append(_around(k * COARSE_STEP_S, COARSE_STEP_S))
        found.append(_evidence(models_of(lags[-1]), settings))
        if k and all(rows.sum() < max(map(np.sum, found)) - HOPELESS for rows in found[-2:]):
            break
    bin_share = (1 - NO_LAG_SHARE) / (count + 1)
    shares = _shares(lags, found, bin_share)
    best = shares[0][1]
    if best is NO_LAG:
        return shares
    settings.append(likeliest(settings_of(best)))
    reach = round(1.5 * COARSE_STEP_S / FINE_STEP_S)
    centres_s = [best.lag_s + k * FINE_STEP_S for k in range(-reach, reach + 1)]
    lags = [NO_LAG, *(_around(lag_s, FINE_STEP_S) for lag_s in centres_s if lag_s >= 0)]
    found = [_evidence(models_of(lag), settings) for lag in lags]
    return _shares(lags, found, bin_share * FINE_STEP_S / COARSE_STEP_S)


def lagging(moves: Moves, lags: Shares) -> Moves:
    """Brackets of the instants whose energy the moves show, for any of the plausible lags."""
    # A lag stands for a bin of 2.5 deviations: so much is left to either side, and a little more.
    least_s = min(max(lag.lag_s - 2 * lag.deviation_s, 0.0) for _, lag in lags)
    most_s = max(lag.lag_s + 2 * lag.deviation_s for _, lag in lags)
    return replace(moves, earliest_s=moves.earliest_s - most_s, latest_s=moves.latest_s - least_s)


def _around(lag_s: float, step_s: float) -> Lag:
    return Lag(lag_s=lag_s, deviation_s=0.4 * step_s)


def _evidence(models: Sequence[Model], settings: Sequence[Floats]) -> Floats:
    """Log density of each counter interval given those before it, at the best of the settings."""
    tried = [
        np.concatenate([model.log_densities(setting) for model in models]) for setting in settings
    ]
    return max(tried, key=np.sum)


def _shares(lags: Sequence[Lag], found: Sequence[Floats], bin_share: float) -> Shares:
    """Posterior of the lags, the first of which is none.

    A lag must show at many edges. That of a single interval is a freak of its power, which is
    never quite what the model says: no interval counts for more than a factor of e^3 against no
    lag (a bounded likelihood, as of Hampel et al., Robust Statistics, 1986, section 2.3).
    """
    totals = np.array([rows.sum() for rows in found])
    behind = totals.max() - totals
    if np.argmax(totals) > 0:
        leads = found[int(np.argmax(totals))] - found[0]
        behind[0] = np.clip(leads, -MOST_OF_ONE, MOST_OF_ONE).sum()
    prior = np.array([NO_LAG_SHARE, *[bin_share] * (len(lags) - 1)])
    weight = prior * np.exp(behind.min() - behind)
    weight = np.where(weight >= NEGLIGIBLE * weight.sum(), weight, 0.0)
    order = np.argsort(-weight)
    return [(float(weight[k] / weight.sum()), lags[k]) for k in order if weight[k] > 0]
