"""SearchResult: what a search came to. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.files import write_whole_file
from profiler.values.codec import encode
from profiler.values.estimate import Estimate, quotient, weakest
from training.run_folder import SEARCH

from .front import agreement, front, meeting, most_accurate, nearest
from .objectives import JOULES, OBJECTIVES
from .plan import SearchPlan, publishable
from .trials import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class FullTraining:
    """A point of the front, trained in full.

    Args:
        reference: of its model.
        folder: of its run, relative to the search's.
        accuracy: top-1 on the test split, read once; None where there is none.
        energy_j: joules of the training.
    """

    reference: str
    folder: str
    accuracy: Estimate | None
    energy_j: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankAgreement:
    """How well one cost orders the networks as another does, which was measured."""

    cost: str
    measured: str
    correlation: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search came to.

    Args:
        plan: what was searched.
        trials: every network, by number.
        best: the front of those that meet the constraints, the most accurate first.
        nearest: the one that misses them by the least, where none meets them.
        energy_j: joules of the whole search; None where no sensor saw them, or another process
            keeps the ledger.
        importance: of each choice for each objective, shares that add up to 1.
        agreements: of the counted costs with the measured ones.
        baseline: name of the network that the search is to beat; None for none.
        baseline_costs: what that one costs.
        break_even: by the number of a trial, the images after which the search is paid for, if its
            network runs in place of the baseline.
        trained: points of the front that were trained in full.
    """

    plan: SearchPlan
    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    nearest: Trial | None
    energy_j: Estimate | None
    importance: Mapping[str, Mapping[str, float]]
    agreements: tuple[RankAgreement, ...]
    baseline: str | None = None
    baseline_costs: Mapping[str, Estimate] | None = None
    break_even: Mapping[str, Estimate] | None = None
    trained: tuple[FullTraining, ...] = ()


def conclude_search(
    plan: SearchPlan,
    trials: Sequence[Trial],
    *,
    energy_j: Estimate | None,
    importance: Mapping[str, Mapping[str, float]],
    baseline: str | None = None,
    baseline_costs: Mapping[str, Estimate] | None = None,
) -> SearchResult:
    """Bring together what a search came to; see `SearchResult`."""
    # Of a network that was proposed twice the first goes on: see `halving`.
    once = list({each.reference: each for each in reversed(trials) if each.accuracies}.values())
    once.sort(key=lambda trial: trial.number)
    good = meeting(once, plan.constraints)
    best = most_accurate(front(good, plan.objectives))
    return SearchResult(
        plan=publishable(plan),
        trials=tuple(trials),
        best=tuple(best),
        nearest=None if good else _nearest(plan, once, trials),
        energy_j=energy_j,
        importance=importance,
        agreements=tuple(_agreements(trials)),
        baseline=baseline,
        baseline_costs=baseline_costs,
        break_even=_break_even(best, energy_j, baseline_costs or {}),
    )


def write_search(folder: Path, result: SearchResult) -> dict[str, Any]:
    """Write search.json, and return what it holds."""
    document: dict[str, Any] = encode(result)
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    write_whole_file(folder / SEARCH, text + "\n")
    return document


def _nearest(plan: SearchPlan, trained: Sequence[Trial], trials: Sequence[Trial]) -> Trial | None:
    """The nearest of the trained ones; with none, of those that cost too much to be trained."""
    on_costs = [each for each in plan.constraints if not OBJECTIVES[each.objective].is_trained]
    left_out = [trial for trial in trials if trial.is_left_out]
    return nearest(trained, plan.constraints) or nearest(left_out, on_costs)


def _agreements(trials: Sequence[Trial]) -> list[RankAgreement]:
    """Over every network that was measured, whether or not it was trained."""
    measured = [name for name, objective in OBJECTIVES.items() if objective.is_timed]
    counted = ("macs", "score")
    pairs = [(cost, name, agreement(trials, cost, name)) for name in measured for cost in counted]
    return [
        RankAgreement(cost=cost, measured=name, correlation=found)
        for cost, name, found in pairs
        if found is not None
    ]


def _break_even(
    best: Sequence[Trial], energy_j: Estimate | None, baseline: Mapping[str, Estimate]
) -> dict[str, Estimate]:
    """Images after which the joules of the search are saved; only where joules are saved surely."""
    found: dict[str, Estimate] = {}
    for trial in best:
        saved_j = _difference(baseline.get(JOULES), trial.costs.get(JOULES))
        if energy_j is None or saved_j is None:
            continue
        images = quotient(energy_j, saved_j, unit="image", source="joules of the search / saved")
        if images is not None:
            found[str(trial.number)] = images
    return found


def _difference(more: Estimate | None, less: Estimate | None) -> Estimate | None:
    """How much more one is, as far apart as their intervals allow; None where it may be nothing."""
    if more is None or more.low is None or more.high is None:
        return None
    if less is None or less.low is None or less.high is None:
        return None
    low, high = more.low - less.high, more.high - less.low
    if low <= 0:
        return None
    return Estimate(
        point=more.point - less.point, low=low, high=high, unit=more.unit,
        confidence=more.confidence, basis=weakest((more.basis, less.basis)),
        source=f"{more.source}, less that of the network found", systematic=more.systematic,
    )  # fmt: skip
