"""The Pareto front of trials, their order, and what costs say of each other. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence

from profiler.values.estimate import Basis, Estimate
from profiler.values.statistics import FEWEST_FOR_RANK_CORRELATION, rank_correlation

from .objectives import ACCURACY, OBJECTIVES, Constraint
from .trials import Trial


def dominates(one: Trial, other: Trial, objectives: Sequence[str]) -> bool:
    """Whether one trial is nowhere worse than the other, by the points, and somewhere better."""
    pairs = list(zip(_losses(one, objectives), _losses(other, objectives), strict=True))
    is_no_worse = all(own <= theirs for own, theirs in pairs)
    return is_no_worse and any(own < theirs for own, theirs in pairs)


def front(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """The trials that no other one dominates; equal points are all on it."""
    known = [trial for trial in trials if _is_known(trial, objectives)]
    return [
        trial for trial in known if not any(dominates(other, trial, objectives) for other in known)
    ]


def ranked(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Best first: front after front (Deb et al., NSGA-II, 2002), the sparsest of a front first.

    Trials of which a value is not known are left out.
    """
    left = [trial for trial in trials if _is_known(trial, objectives)]
    order: list[Trial] = []
    while left:
        best = front(left, objectives)
        gaps = _crowding(best, objectives)
        order += sorted(best, key=lambda trial: (-gaps[trial.number], trial.number))
        numbers = {trial.number for trial in best}
        left = [trial for trial in left if trial.number not in numbers]
    return order


def meeting(trials: Sequence[Trial], constraints: Sequence[Constraint]) -> list[Trial]:
    """The trials that meet every constraint."""
    return [trial for trial in trials if all(each.is_met(trial.values) for each in constraints)]


def broken_by_costs(trial: Trial, constraints: Sequence[Constraint]) -> list[Constraint]:
    """The constraints that a network breaks by what it costs, whatever it may learn."""
    on_costs = [each for each in constraints if not OBJECTIVES[each.objective].is_trained]
    return [each for each in on_costs if not each.is_met(trial.values)]


def nearest(trials: Sequence[Trial], constraints: Sequence[Constraint]) -> Trial | None:
    """The trial that misses the constraints by the least, relative to their bounds."""
    missed: list[tuple[float, int, Trial]] = []
    for trial in trials:
        by = [each.violation(trial.values) for each in constraints]
        if all(part is not None for part in by):
            missed.append((sum(max(part or 0.0, 0.0) for part in by), trial.number, trial))
    return min(missed)[2] if missed else None


def agreement(trials: Sequence[Trial], one: str, other: str) -> Estimate | None:
    """Spearman's rank correlation of two values over trials, with its interval; None for too few.

    It says how well one orders networks as the other does: 1 for the same order.
    """
    pairs = [
        (trial.values[one].point, trial.values[other].point)
        for trial in {trial.reference: trial for trial in trials}.values()
        if one in trial.values and other in trial.values
    ]
    if len(pairs) < FEWEST_FOR_RANK_CORRELATION:
        return None
    found = rank_correlation([own for own, _ in pairs], [theirs for _, theirs in pairs])
    if found is None:
        return None
    return Estimate(
        point=found.point, low=found.low, high=found.high, unit="", confidence=0.95,
        basis=Basis.ESTIMATED,
        source=f"Spearman's rank correlation over {len(pairs)} networks",
    )  # fmt: skip


def _losses(trial: Trial, objectives: Sequence[str]) -> list[float]:
    values = trial.values
    return [
        -values[name].point if OBJECTIVES[name].is_higher_better else values[name].point
        for name in objectives
    ]


def _is_known(trial: Trial, objectives: Sequence[str]) -> bool:
    return trial.error is None and all(name in trial.values for name in objectives)


def _crowding(trials: Sequence[Trial], objectives: Sequence[str]) -> dict[int, float]:
    """How far the neighbours of each trial are on its front; infinite at the ends."""
    gaps = {trial.number: 0.0 for trial in trials}
    for place in range(len(objectives)):
        order = sorted(trials, key=lambda trial: _losses(trial, objectives)[place])
        values = [_losses(trial, objectives)[place] for trial in order]
        span = values[-1] - values[0]
        gaps[order[0].number] = gaps[order[-1].number] = math.inf
        for index in range(1, len(order) - 1):
            if span > 0:
                gaps[order[index].number] += (values[index + 1] - values[index - 1]) / span
    return gaps


def most_accurate(trials: Sequence[Trial]) -> list[Trial]:
    """By their accuracy, the highest first; without one, in the order given."""
    return sorted(
        trials, key=lambda trial: -trial.values[ACCURACY].point if trial.accuracies else 0.0
    )
