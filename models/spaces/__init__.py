"""Spaces of networks: families in which numbers decide, each point of which has a name.

    residual:stem=16:widths=32-64:depths=2-2:strides=2-2

The name is all that is needed to build the network again. It holds no comma, which separates the
members of an ensemble, no "+", which begins a transform, and nothing that a shell would read. Its
fields may be written in any order. Importing this package imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from profiler.errors import TargetError

if TYPE_CHECKING:
    from torch import nn

    from .plan import Choose, Plan

DEFAULT_CLASSES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """One family of networks.

    Args:
        home: the file of this folder that holds its `PLAN`.
        description: one line for `python -m models list`.
        usage: how a point is written.
        example: a point.
        input_shape: (channels, height, width) of one image.
    """

    home: str
    description: str
    usage: str
    example: str
    input_shape: tuple[int, int, int] = (3, 32, 32)


SPACES: dict[str, Space] = {
    "residual": Space(
        home="residual",
        description="basic residual blocks in stages",
        usage="stem=N:widths=N-N:depths=N-N:strides=N-N[:stem-stride=N][:groups=N-N][:squeeze=N]",
        example="residual:stem=16:widths=32-64:depths=2-2:strides=2-2",
    ),
    "densenet": Space(
        home="densenet",
        description="dense blocks with transitions",
        usage="stem=N:growth=N:depths=N-N[:bottleneck=N][:stem-stride=N]",
        example="densenet:stem=16:growth=12:depths=4-4-4",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One network of a space; calling it builds it with fresh weights."""

    space: str
    plan: Plan

    def __str__(self) -> str:
        return f"{self.space}:{self.plan}"

    def __call__(self, *, num_classes: int = DEFAULT_CLASSES) -> nn.Module:
        """Build the network."""
        return self.plan.build(num_classes=num_classes)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        return SPACES[self.space].input_shape


def is_point(reference: str) -> bool:
    """Whether a reference has the form of a point's name: no Python name holds a "="."""
    space, _, fields = reference.partition(":")
    return space.isidentifier() and "=" in fields


def find_point(reference: str) -> Point:
    """The network that a name stands for.

    Raises:
        TargetError: there is no such space or field, or a value of which no network can be built.
    """
    name, _, text = reference.partition(":")
    if name not in SPACES:
        close = get_close_matches(name, SPACES, n=3, cutoff=0.5)
        raise TargetError(
            f"there is no space '{name}'{'; nearest: ' + ', '.join(close) if close else ''}",
            hint=f"the spaces are {', '.join(SPACES)}; a point is written {_an_example(name)}",
        )
    from .plan import read_plan

    return Point(space=name, plan=read_plan(_plan_of(name), text, example=_an_example(name)))


def propose_point(name: str, choose: Choose) -> str:
    """The name of a point of a space, each of its numbers chosen.

    Raises:
        TargetError: no network can be built of what was chosen.
    """
    return str(find_point(f"{name}:{_plan_of(name).propose(choose)}"))


def _plan_of(name: str) -> type[Plan]:
    plan: type[Plan] = import_module(f".{SPACES[name].home}", __name__).PLAN
    return plan


def _an_example(name: str) -> str:
    return SPACES.get(name, next(iter(SPACES.values()))).example
