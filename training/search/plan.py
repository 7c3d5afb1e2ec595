"""The plan of a search: where it looks, what for, and how far each network is trained.

    DIR/search.json            the plan, and what the search came to
    DIR/search.db              Optuna's storage, unless another one is named
    DIR/ledger.jsonl           every joule of the search; each training has a ledger of its own too
    DIR/report.md, report.html the front, and what was learnt
    DIR/trial-NNNN/trial.json  one network: choices, costs, accuracies
    DIR/trial-NNNN/round-R/    its R-th training, as `train` writes it
    DIR/best/trial-NNNN/       points of the front, trained in full

Imports no torch.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path

from profiler.errors import StoreError, UsageError
from profiler.files import write_whole_file
from profiler.values.codec import FormError, decode, encode, parse
from profiler.values.plain_text import clean
from training.recipe import Recipe
from training.run_folder import SEARCH

from .objectives import ACCURACY, OBJECTIVES, Constraint, check_together

DATABASE = "search.db"
SAMPLERS = ("tpe", "nsga2")
MAY_CHANGE = ("trial_count", "storage")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """What is searched.

    Args:
        space: a space of `models/spaces`, or "transforms:REFERENCE".
        objectives: names of `OBJECTIVES`; the accuracy is one of them.
        constraints: what a network must come to.
        recipe: of every training; its `model` is replaced. Its `epochs` are those of a full one.
        trial_count: networks that are tried.
        first_epochs: of the first, shortest training of each.
        rounds: of training; in each but the first the better half goes on for as long again.
        sampler: "tpe" (Bergstra et al., 2011, for several objectives: Ozaki et al., 2020) or
            "nsga2" (Deb et al., 2002).
        precision: in which a network is measured and scored: "fp32", "bf16", "fp16", "int8".
        batch_size: images of a measured call.
        max_seconds: budget of a measurement.
        storage: Optuna's URL; None for a SQLite file in the folder.
    """

    space: str
    objectives: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    recipe: Recipe
    trial_count: int
    first_epochs: int
    rounds: int
    sampler: str = "tpe"
    precision: str = "fp32"
    batch_size: int = 1
    max_seconds: float = 5.0
    storage: str | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.objectives if name not in OBJECTIVES]
        if unknown:
            raise UsageError(
                f"there is no objective '{unknown[0]}'",
                hint=f"the objectives are {', '.join(OBJECTIVES)}",
            )
        check_together(self.constraints)
        if ACCURACY not in self.objectives or len(self.objectives) < 2:
            raise UsageError(
                f"a search weighs accuracy against a cost, not {', '.join(self.objectives)} alone",
                hint=f"--objective {ACCURACY} --objective joules",
            )
        if self.total_epochs(self.rounds - 1) > self.recipe.epochs:
            raise UsageError(
                f"{self.rounds} rounds from {self.first_epochs} epochs on train for "
                f"{self.total_epochs(self.rounds - 1)}, longer than the recipe's "
                f"{self.recipe.epochs}",
                hint="give fewer --rounds or --first-epochs, or more --epochs",
            )

    def total_epochs(self, round_number: int) -> int:
        """Epochs of a network after a round, counted from 0."""
        return int(self.first_epochs * 2**round_number)

    def round_epochs(self, round_number: int) -> int:
        """Epochs that a round adds."""
        before = self.total_epochs(round_number - 1) if round_number else 0
        return self.total_epochs(round_number) - before

    @property
    def wanted(self) -> tuple[str, ...]:
        """Every value that must be known: objectives, then what only constraints are about."""
        return tuple(dict.fromkeys((*self.objectives, *(c.objective for c in self.constraints))))

    def check_same(self, other: SearchPlan) -> None:
        """Refuse to go on with another search.

        Raises:
            UsageError: naming what differs.
        """
        changed = self.differences(other)
        if changed:
            raise UsageError(
                f"this search was begun with {'; '.join(changed)}",
                hint="leave out what differs, or begin a new search in another --out",
            )

    def differences(self, other: SearchPlan) -> list[str]:
        """What differs in another plan, each in words; what may change in a search does not."""
        names = [item.name for item in fields(self) if item.name not in (*MAY_CHANGE, "recipe")]
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        changed |= self.recipe.changes(other.recipe)
        return [
            f"{name.replace('_', ' ')} {_told(own)}, not {_told(theirs)}"
            for name, (own, theirs) in changed.items()
        ]


def _told(value: object) -> str:
    if value is None or value == ():
        return "none"
    return clean(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredPlan:
    """What is read of search.json."""

    plan: SearchPlan


def keep_plan(folder: Path, plan: SearchPlan) -> None:
    """Write search.json as it is before anything has been tried; one of the same plan stays."""
    kept = publishable(plan)
    if not (folder / SEARCH).is_file() or read_search_plan(folder) != kept:
        document = {"plan": encode(kept)}
        write_whole_file(folder / SEARCH, json.dumps(document, indent=1) + "\n")


def publishable(plan: SearchPlan) -> SearchPlan:
    """The plan without the password of its storage, which must then be given again to go on."""
    return replace(plan, storage=None if plan.storage is None else without_password(plan.storage))


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return re.sub(r"(://[^:/@]*:)[^@/]*@", r"\1***@", url)


def read_search_plan(folder: Path) -> SearchPlan:
    """The plan of a search that was begun.

    Raises:
        StoreError: the folder holds none, or a damaged one.
    """
    path = folder / SEARCH
    try:
        return decode(parse(path.read_bytes()), _StoredPlan).plan
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(
            f"'{clean(str(folder))}' holds no search: it has no {SEARCH}",
            hint="name the folder that `search` printed",
        ) from error
    except (FormError, OSError) as error:
        raise StoreError(
            f"'{clean(str(path))}' cannot be read: {clean(str(error))}",
            hint="begin a new search",
        ) from error
