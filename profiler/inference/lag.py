"""How far behind its moves a counter is, found from the power steps at the edges of windows.

Some sensors show at a move the energy of an instant some milliseconds before it. Energy then seems
to arrive late at every edge. The likelihood of the whole recording tells which lag explains that
best, and how sure it is. Work that goes on after its window was closed, always by the same time,
looks no different: synchronize the device before a window closes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .moves import Floats, Moves
from .segment_model import USUAL_STRENGTHS, Model
from .strengths import likeliest_strengths

COARSE_STEP_S = 0.004
FINE_STEP_S = 0.001
HOPELESS = 20.0
MOST_OF_ONE = 3.0
NO_LAG_SHARE = 0.5
MOST_DOUBT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far behind a move the energy is that it shows, alike at all moves of a counter."""

    lag_s: float
    deviation_s: float


NO_LAG = Lag(lag_s=0.0, deviation_s=0.0)
ModelsOf = Callable[[float], Sequence[Model]]


def find_lag(models_of: ModelsOf, strengths: Floats, longest_s: float) -> Lag:
    """The lag of a counter; `NO_LAG` unless the odds are 19 to 1 for one.

    Half of the prior is on no lag at all, the rest is spread evenly up to `longest_s`.

    Args:
        models_of: the models of some panels for a given lag, s.
        strengths: what was learned about their parts without one.
        longest_s: longest lag to consider.
    """
    count = int(longest_s / COARSE_STEP_S)
    if count < 1:
        return NO_LAG
    settings = [USUAL_STRENGTHS, strengths]
    none = _evidence(models_of(0.0), settings)
    lags_s, found = [], []
    for k in range(count + 1):
        lags_s.append(k * COARSE_STEP_S)
        found.append(_evidence(models_of(lags_s[-1]), settings))
        tops = [rows.sum() for rows in (none, *found)]
        if k and max(tops[-2:]) < max(tops) - HOPELESS:
            break
    prior = (1 - NO_LAG_SHARE) / (count + 1)
    if _doubt(none, found, prior) > MOST_DOUBT:
        return NO_LAG
    best_s = lags_s[int(np.argmax([rows.sum() for rows in found]))]
    settings.append(likeliest_strengths(models_of(best_s)))
    none = _evidence(models_of(0.0), settings)
    reach_s = 1.5 * COARSE_STEP_S
    fine_s = np.arange(max(best_s - reach_s, 0.0), best_s + reach_s, FINE_STEP_S)
    found = [_evidence(models_of(float(lag_s)), settings) for lag_s in fine_s]
    if _doubt(none, found, prior * FINE_STEP_S / COARSE_STEP_S) > MOST_DOUBT:
        return NO_LAG
    totals = np.array([rows.sum() for rows in found])
    share = np.exp(totals - totals.max())
    share /= share.sum()
    lag_s = float(share @ fine_s)
    # A lag stands for its surroundings too: a bin of 2.5 deviations.
    spread_s = float(np.sqrt(share @ (fine_s - lag_s) ** 2 + (0.4 * FINE_STEP_S) ** 2))
    return Lag(lag_s=lag_s, deviation_s=spread_s)


def lagging(moves: Moves, lag: Lag) -> Moves:
    """Brackets of the instants whose energy the moves show."""
    least_s, most_s = max(lag.lag_s - 3 * lag.deviation_s, 0.0), lag.lag_s + 3 * lag.deviation_s
    return replace(moves, earliest_s=moves.earliest_s - most_s, latest_s=moves.latest_s - least_s)


def _evidence(models: Sequence[Model], settings: Sequence[Floats]) -> Floats:
    """Log density of each counter interval given those before it, at the best of the settings."""
    tried = [
        np.concatenate([model.log_densities(setting) for model in models]) for setting in settings
    ]
    return max(tried, key=np.sum)


def _doubt(none: Floats, found: Sequence[Floats], prior: float) -> float:
    """Probability of no lag.

    A lag must show at many edges. That of a single interval is a freak of its power, which is
    never quite what the model says: no interval counts for more than a factor of e^3 against no
    lag (a bounded likelihood, as of Hampel et al., Robust Statistics, 1986, section 2.3).
    """
    totals = np.array([rows.sum() for rows in found])
    best = int(np.argmax(totals))
    lead = float(np.clip(found[best] - none, -MOST_OF_ONE, MOST_OF_ONE).sum())
    for_lag = prior * float(np.exp(totals - totals[best]).sum())
    return NO_LAG_SHARE / (NO_LAG_SHARE + for_lag * float(np.exp(np.clip(lead, -50.0, 50.0))))
