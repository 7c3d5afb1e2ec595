"""What a search is for: the table of objectives, and the constraints on them. Imports no torch."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from profiler.errors import UsageError
from profiler.values.estimate import Estimate
from profiler.values.units import show
from training.progress.words import as_percent

ACCURACY = "accuracy"
JOULES = "joules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One thing that a search looks for.

    Args:
        label: heading of its column.
        is_higher_better: its direction.
        is_trained: whether it takes a training to know it.
        is_timed: whether it takes a measurement of the running network.
        unit: of a value, and of a constraint on it.
    """

    label: str
    is_higher_better: bool = False
    is_trained: bool = False
    is_timed: bool = False
    unit: str = ""

    def show(self, value: Estimate | None) -> str:
        """A value as a table prints it."""
        return as_percent(value) if self.is_trained else show(value)


OBJECTIVES: dict[str, Objective] = {
    ACCURACY: Objective(label="accuracy", is_higher_better=True, is_trained=True),
    JOULES: Objective(label="joules per image", is_timed=True, unit="J"),
    "latency": Objective(label="latency per image", is_timed=True, unit="s"),
    "score": Objective(label="score"),
    "macs": Objective(label="MACs", unit="MAC"),
}

_FORM = re.compile(r"\s*([a-z]+)\s*(>=|<=)\s*([0-9.eE+-]+)(%?)\s*")
_SIDES: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What a network must come to: `objective` at least (">=") or at most ("<=") `bound`."""

    objective: str
    side: str
    bound: float

    def __str__(self) -> str:
        return f"{self.objective}{self.side}{self.bound:g}"

    def violation(self, values: Mapping[str, Estimate]) -> float | None:
        """By how much a network misses it, relative to the bound; 0 or less where it is met.

        None where the value is not known yet.
        """
        value = values.get(self.objective)
        if value is None:
            return None
        off = value.point - self.bound
        return (off if self.side == "<=" else -off) / (abs(self.bound) or 1.0)

    def is_met(self, values: Mapping[str, Estimate]) -> bool:
        """Whether the point of the value is on the right side."""
        value = values.get(self.objective)
        return value is not None and _SIDES[self.side](value.point, self.bound)


def read_constraint(text: str) -> Constraint:
    """A constraint from its text, such as "accuracy>=0.9", "accuracy>=90%" or "macs<=2e7".

    Raises:
        UsageError: it has another form, or is about something else.
    """
    found = _FORM.fullmatch(text)
    hint = '--constraint "accuracy>=0.9", with one of ' + ", ".join(OBJECTIVES)
    try:
        if found is None or found[1] not in OBJECTIVES:
            raise ValueError(text)
        bound = float(found[3])
        if not math.isfinite(bound) or (found[4] and found[1] != ACCURACY):
            raise ValueError(text)
    except ValueError as error:
        raise UsageError(f"'{text}' is no constraint", hint=hint) from error
    if found[4]:
        bound /= 100
    constraint = Constraint(objective=found[1], side=found[2], bound=bound)
    _check_possible(constraint, text)
    return constraint


def check_together(constraints: Sequence[Constraint]) -> None:
    """Refuse constraints that no network can meet together.

    Raises:
        UsageError: naming two that exclude each other.
    """
    for least in (each for each in constraints if each.side == ">="):
        for most in (each for each in constraints if each.side == "<="):
            if least.objective == most.objective and least.bound > most.bound:
                raise UsageError(
                    f"no network meets both {least} and {most}",
                    hint="leave out one --constraint of them, or change its bound",
                )


def _check_possible(constraint: Constraint, text: str) -> None:
    if constraint.objective == ACCURACY and not 0 <= constraint.bound <= 1:
        given = constraint.bound
        wanted = f"; write {ACCURACY}{constraint.side}{given:g}%" if 1 < given <= 100 else ""
        raise UsageError(
            f"'{text}' asks for an accuracy outside 0 to 1, which no network has{wanted}",
            hint='an accuracy is a share: --constraint "accuracy>=0.9" or "accuracy>=90%"',
        )
    if constraint.objective != ACCURACY and constraint.side == "<=" and constraint.bound <= 0:
        raise UsageError(
            f"'{text}' cannot be met: every network costs something",
            hint=f'--constraint "{constraint.objective}<=X", X above 0',
        )
