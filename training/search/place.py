"""SearchPlace: where a search runs, and the one ledger of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from profiler.ledger import Ledger
from profiler.values.codec import encode
from profiler.values.profile import CarbonFactors

from .plan import SearchPlan
from .trials import claimed
from .watcher import Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlace:
    """Where a search runs.

    Args:
        folder: of the search.
        device: "cpu", "cuda:N" or "auto".
        threads: of torch on the CPU; None leaves them.
        carbon: factors from joules to grams.
        watcher: who is told what happens.
    """

    folder: Path
    device: str
    threads: int | None
    carbon: CarbonFactors
    watcher: Watcher


@contextmanager
def opened_ledger(plan: SearchPlan, place: SearchPlace) -> Iterator[Ledger | None]:
    """The ledger of the search, in the first of the processes that work in its folder.

    The sensors see the whole machine: a second ledger beside it would count every joule again.
    """
    with claimed(place.folder) as is_first:
        if not is_first:
            yield None
            return
        with Ledger(place.folder, recipe=encode(plan.recipe), carbon=place.carbon) as ledger:
            yield ledger
