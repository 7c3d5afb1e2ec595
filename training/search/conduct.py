"""One process's way through a search, from the checks to what it came to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.errors import StoreError
from profiler.files import write_whole_file
from profiler.ledger import Ledger, read_ledger
from profiler.values.codec import FormError, decode, encode, parse
from profiler.values.estimate import Estimate
from profiler.values.plain_text import clean
from training.result import STOPPED_BY_INTERRUPTION, read_result

from .place import UNMETERED, SearchPlace, keeper_of, opened_ledger
from .plan import SearchPlan, keep_plan
from .preflight import check_ground
from .proposals import Proposals
from .result import FullTraining, SearchResult, conclude_search, write_search
from .search import WAIT_S, Search
from .trials import claimed, trial_folder

BASELINE = "baseline.json"
FULL_TRAININGS = "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The network that a search is to beat, as it was measured."""

    reference: str
    costs: Mapping[str, Estimate]


def conduct(
    plan: SearchPlan, place: SearchPlace, *, baseline: str | None, best_count: int
) -> SearchResult:
    """All rounds, then the trainings in full, every joule of the search in its ledger.

    Args:
        plan: what is searched.
        place: where.
        baseline: a network to beat; None for the one that the search has, if any.
        best_count: points of the front that are trained in full.

    Raises:
        ProfilerError: of the plan, before anything is begun; of every trial; of the disk.
    """
    folder = place.folder
    ground = check_ground(plan, device=place.device, baseline=baseline)
    proposals = Proposals(folder, plan)
    keep_plan(folder, plan)
    with opened_ledger(plan, place) as ledger:
        search = Search(plan, place, ground, proposals, ledger)
        beaten = _measured_baseline(search, folder, baseline)
        trials = search.run()
        importance = {name: proposals.importance(name, trials) for name in plan.objectives}
        energy_j = _energy_j(place, ledger)
    result = conclude_search(
        plan,
        trials,
        energy_j=energy_j,
        importance={name: shares for name, shares in importance.items() if shares},
        baseline=None if beaten is None else beaten.reference,
        baseline_costs=None if beaten is None else beaten.costs,
    )
    result = replace(result, trained=_full_trainings(folder))
    write_search(folder, result)
    _train_best(search, folder, result, best_count)
    return replace(result, trained=_full_trainings(folder))


def _measured_baseline(search: Search, folder: Path, reference: str | None) -> Baseline | None:
    """The baseline, measured once in the life of a search."""
    path = folder / BASELINE
    try:
        known = decode(parse(path.read_bytes()), Baseline) if path.is_file() else None
    except (FormError, OSError) as error:
        raise StoreError(
            f"'{clean(str(path))}' cannot be read: {clean(str(error))}",
            hint="delete that file, and name the network with --baseline again",
        ) from error
    if reference is None or (known is not None and known.reference == reference):
        return known
    found = Baseline(reference=reference, costs=search.costs(reference))
    write_whole_file(path, json.dumps(encode(found), indent=1, allow_nan=False) + "\n")
    return found


def _energy_j(place: SearchPlace, ledger: Ledger | None) -> Estimate | None:
    """Joules of the whole search; None where some of its work was seen by no ledger."""
    if ledger is not None:
        ledger.stop()
    while ledger is None and keeper_of(place.folder) is not None:
        time.sleep(WAIT_S)  # the keeper settles what it has seen
    if (place.folder / UNMETERED).exists():
        return None
    return (read_ledger(place.folder) if ledger is None else ledger.summary()).energy_j


def _train_best(search: Search, folder: Path, result: SearchResult, count: int) -> None:
    """Train the most accurate points of the front in full; each run has a ledger of its own."""
    if count == 0:
        return
    with claimed(folder / FULL_TRAININGS) as is_mine:
        for trial in result.best[: count if is_mine else 0]:
            # By number: slugs of references are cut off, and may be alike.
            search.train_fully(trial, trial_folder(folder / FULL_TRAININGS, trial.number))


def _full_trainings(folder: Path) -> tuple[FullTraining, ...]:
    """Those that are done, of earlier processes too."""
    trained = []
    for place in sorted((folder / FULL_TRAININGS).glob("trial-*")):
        outcome = read_result(place)
        if outcome is not None and outcome.stopped_by != STOPPED_BY_INTERRUPTION:
            trained.append(
                FullTraining(
                    reference=outcome.recipe.model,
                    folder=str(place.relative_to(folder)),
                    accuracy=outcome.test_accuracy,
                    energy_j=outcome.ledger.energy_j,
                )
            )
    return tuple(trained)
