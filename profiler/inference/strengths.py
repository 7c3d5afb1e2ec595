"""How much each part of the power varies: strengths found from the recording itself.

Empirical Bayes by marginal likelihood on a grid (Rasmussen and Williams 2006, section 5.4.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .moves import Floats
from .segment_model import PARTS, STRAY, Model

SWEEP_COUNT = 2


def likeliest_strengths(models: Sequence[Model]) -> Floats:
    """Strengths, shape (part count,), that make the known joules of all models likeliest."""
    seen: dict[tuple[int, ...], float] = {}

    def evidence(choice: tuple[int, ...]) -> float:
        if choice not in seen:
            strengths = _strengths(choice)
            seen[choice] = sum(model.log_evidence(strengths) for model in models)
        return seen[choice]

    usual = tuple(part.start for part in PARTS)
    # Edges that stray look like power that fluctuates: the search begins with either of them.
    order = (STRAY, *range(STRAY))
    found = []
    for places in (range(len(PARTS)), order):
        best = usual
        for _ in range(SWEEP_COUNT):
            for place in places:
                count = len(PARTS[place].grid)
                line = [(*best[:place], i, *best[place + 1 :]) for i in range(count)]
                best = max(line, key=evidence)
        found.append(best)
    best = max(found, key=evidence)
    return _strengths(best)


def _strengths(choice: tuple[int, ...]) -> Floats:
    return np.array([part.grid[index] for part, index in zip(PARTS, choice, strict=True)])
