"""How much each part of the power varies: weights found from the recording itself.

Empirical Bayes by marginal likelihood (Rasmussen and Williams 2006, section 5.4.1) on a grid. All
grid points that the search visits keep their share of the likelihood, so that an interval holds
what is not known about the weights too: Bayesian model averaging (Hoeting et al., Statistical
Science 14, 1999, p. 382).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .moves import Floats
from .segment_model import PARTS, Model

NEGLIGIBLE = 1e-3
SWEEP_COUNT = 2
STRAY = next(place for place, part in enumerate(PARTS) if part.name == "stray of the edges")
FLUCTUATIONS = [
    place
    for place, part in enumerate(PARTS)
    if part.name in ("long fluctuation in a window", "fluctuation in a gap")
]
LOOSE_S = (1.5e-3, 5e-3, 1.5e-2)
Setting = tuple[float, Floats]
USUAL_STRENGTHS: Floats = np.array([part.grid[part.start] for part in PARTS])


def likeliest(settings: Sequence[Setting]) -> Floats:
    """Strengths of the most probable setting."""
    return max(settings, key=lambda setting: setting[0])[1]


def at_least_stray(strengths: Floats, stray_s: float) -> Floats:
    """The same strengths, with edges that stray by no less than that."""
    raised = strengths.copy()
    raised[STRAY] = max(stray_s, strengths[STRAY])
    return raised


def average_weights(models: Sequence[Model]) -> list[Setting]:
    """Plausible settings of the model, shared by all panels, with their probabilities.

    Returns pairs (probability, shape (part count,) strengths).
    """
    seen: dict[tuple[int, ...], float] = {}

    def evidence(choice: tuple[int, ...]) -> float:
        if choice not in seen:
            strengths = _strengths(choice)
            seen[choice] = sum(model.log_evidence(strengths) for model in models)
        return seen[choice]

    best = tuple(part.start for part in PARTS)
    for _ in range(SWEEP_COUNT):
        for place, part in enumerate(PARTS):
            best = max(_line(best, place, len(part.grid)), key=evidence)
    for place, part in enumerate(PARTS):
        for choice in _line(best, place, len(part.grid)):
            evidence(choice)
    top = max(seen.values())
    if top == -np.inf:
        return [(1.0, _strengths(best))]
    shares = {
        choice: np.exp(value - top)
        for choice, value in seen.items()
        if value > top + np.log(NEGLIGIBLE)
    }
    whole = sum(shares.values())
    return [(share / whole, _strengths(choice)) for choice, share in shares.items()]


def _strengths(choice: tuple[int, ...]) -> Floats:
    return np.array([part.grid[index] for part, index in zip(PARTS, choice, strict=True)])


def _line(choice: tuple[int, ...], place: int, count: int) -> list[tuple[int, ...]]:
    return [(*choice[:place], index, *choice[place + 1 :]) for index in range(count)]


def with_loose_edges(settings: Sequence[Setting], edge_count: int) -> list[Setting]:
    """The same settings, and beside them what a few edges cannot rule out: that edges stray.

    After n edges that lay where the power changed, the next one strays with a probability of
    1 / (n + 2) (Laplace's rule of succession), by some milliseconds.
    """
    loose_share = 1 / (edge_count + 2)
    tight = [(share * (1 - loose_share), strengths) for share, strengths in settings]
    best = likeliest(settings)
    for stray_s in LOOSE_S:
        strengths = best.copy()
        strengths[STRAY] = max(stray_s, best[STRAY])
        tight.append((loose_share / len(LOOSE_S), strengths))
    return tight
