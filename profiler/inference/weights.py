"""How much each part of the power varies: weights found from the recording itself.

Empirical Bayes by marginal likelihood (Rasmussen and Williams 2006, section 5.4.1) on a grid. All
grid points that the search visits keep their share of the likelihood, so that an interval holds
what is not known about the weights too: Bayesian model averaging (Hoeting et al., Statistical
Science 14, 1999, p. 382).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .kriging import PARTS, Model
from .moves import Floats

NEGLIGIBLE = 1e-3
SWEEP_COUNT = 2
Setting = tuple[float, Floats]
USUAL_STRENGTHS: Floats = np.array([part.grid[part.start] for part in PARTS])


def likeliest(settings: Sequence[Setting]) -> Floats:
    """Strengths of the most probable setting."""
    return max(settings, key=lambda setting: setting[0])[1]


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
