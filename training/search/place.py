"""SearchPlace: where a search runs, and the one ledger of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from profiler.ledger import Ledger
from profiler.values.codec import encode
from profiler.values.profile import CarbonFactors

from .plan import SearchPlan
from .trials import CLAIM, claimed
from .watcher import Watcher

UNMETERED = "unmetered"
"""A file that says that some work was done while no process kept the ledger."""


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
        # Whoever works beside it sees by this whether it was the same keeper all the time.
        (place.folder / CLAIM).write_text(uuid4().hex)
        with Ledger(place.folder, recipe=encode(plan.recipe), carbon=place.carbon) as ledger:
            yield ledger


def keeper_of(folder: Path) -> str | None:
    """A word for the process that keeps the ledger of a search now; None for nobody."""
    with claimed(folder) as is_free:
        return None if is_free else (folder / CLAIM).read_text()


@contextmanager
def noting_unmetered(folder: Path, ledger: Ledger | None) -> Iterator[None]:
    """Note in the folder where nobody kept the ledger for all of what is done inside.

    The joules that it then lacks would make the search look cheaper than it was.
    """
    before = None if ledger is not None else keeper_of(folder)
    try:
        yield
    finally:
        if ledger is None and (before is None or keeper_of(folder) != before):
            (folder / UNMETERED).touch()
