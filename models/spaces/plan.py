"""Plan: the numbers that make a network of a family, and the text that they are written as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from profiler.errors import TargetError

if TYPE_CHECKING:
    from torch import nn

_NUMBERS = re.compile(r"\d{1,5}(-\d{1,5})*")
AnyPlan = TypeVar("AnyPlan", bound="Plan")


class Choose(Protocol):
    """Whoever decides, such as a search: one of some options; each decision has a name."""

    def __call__(self, name: str, options: tuple[int, ...]) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides the shape of a network; each family derives its own.

    Every field is a whole number, or a tuple of them with one for each stage. What a field is by
    default must leave out what it stands for, so that old names keep their meaning when a family
    gets another field.
    """

    def __str__(self) -> str:
        return ":".join(
            f"{_written(item.name)}={_text(value)}"
            for item in fields(self)
            if (value := getattr(self, item.name)) != item.default
        )

    def build(self, *, num_classes: int) -> nn.Module:
        """The network with fresh weights."""
        raise NotImplementedError

    @classmethod
    def propose(cls, choose: Choose) -> Self:
        """A point of the space in which a search looks: the same decisions every time."""
        raise NotImplementedError

    def problem(self) -> str | None:
        """Why no network can be built of it; None where one can."""
        return None


def read_plan(kind: type[AnyPlan], text: str, *, example: str) -> AnyPlan:
    """A plan from its text.

    Args:
        kind: the family's plan.
        text: fields and values, such as "stem=16:widths=32-64".
        example: a reference that is right, for the errors.

    Raises:
        TargetError: an unknown, repeated or missing field, a value that is no number, or numbers
            of which no network can be built.
    """
    known = {_written(item.name): item for item in fields(kind)}
    values: dict[str, Any] = {}
    for part in text.split(":"):
        name, equals, value = part.partition("=")
        if not equals:
            raise TargetError(f"'{part}' is no field and its value", hint=f"write {example}")
        if name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.5)
            nearest = f"; nearest: {close[0]}" if close else ""
            raise TargetError(
                f"there is no field '{name}'{nearest}", hint=f"the fields are {', '.join(known)}"
            )
        if known[name].name in values:
            raise TargetError(f"the field {name} is written twice", hint=f"write {example}")
        values[known[name].name] = _read(known[name], value, example)
    return _checked(kind, known, values, example)


def _checked(
    kind: type[AnyPlan], known: Mapping[str, Field[Any]], values: dict[str, Any], example: str
) -> AnyPlan:
    missing = [
        name for name, item in known.items() if item.default is MISSING and item.name not in values
    ]
    if missing:
        raise TargetError(f"the field {missing[0]} is missing", hint=f"write {example}")
    plan = kind(**values)
    problem = plan.problem()
    if problem is not None:
        raise TargetError(
            f"no network can be built of '{plan}': {problem}", hint=f"write {example}"
        )
    return plan


def _read(item: Field[Any], text: str, example: str) -> int | tuple[int, ...]:
    if not _NUMBERS.fullmatch(text):
        raise TargetError(
            f"{_written(item.name)} is '{text}', not whole numbers with a '-' "
            "between them, each of up to 5 digits",
            hint=f"write {example}",
        )
    numbers = tuple(map(int, text.split("-")))
    if "tuple" in str(item.type):
        return numbers
    if len(numbers) > 1:
        raise TargetError(
            f"{_written(item.name)} is '{text}', not one whole number of up to 5 digits",
            hint=f"write {example}",
        )
    return numbers[0]


def _written(name: str) -> str:
    return name.replace("_", "-")


def _text(value: int | tuple[int, ...]) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
