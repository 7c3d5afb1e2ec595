"""Where a search looks: a space of the zoo, or what transforms make of one network."""

from __future__ import annotations

from collections.abc import Callable

from profiler.errors import UsageError
from profiler.workload.target import zoo

TRANSFORMS = "transforms"
STRUCTURES = ("", "+groups=2", "+groups=4", "+groups=8", "+depthwise")
SHARES = ("", "+prune=0.25", "+prune=0.5", "+prune=0.75")

ChooseNumber = Callable[[str, tuple[int, ...]], int]
ChooseText = Callable[[str, tuple[str, ...]], str]


def check_space(space: str, *, initial: str | None) -> None:
    """Refuse a space that does not exist, and weights for one whose networks differ in shape.

    Raises:
        UsageError: naming the spaces that there are, or the weights.
    """
    name, colon, base = space.partition(":")
    if name == TRANSFORMS and base:
        return
    if initial is not None and not colon and space in zoo().SPACES:
        raise UsageError(
            f"the networks of '{space}' differ in shape, and cannot all begin from '{initial}'",
            hint=f"leave out --initial, or give --space {TRANSFORMS}:MODEL",
        )
    if colon or space not in zoo().SPACES:
        raise UsageError(
            f"there is no space '{space}'",
            hint=f"the spaces are {', '.join(zoo().SPACES)} and {TRANSFORMS}:MODEL",
        )


def first_point(space: str, *, is_trained: bool) -> str:
    """The point of all first options; that of transforms is the network without any.

    Raises:
        TargetError: no network can be built of it.
    """
    return propose(
        space,
        is_trained=is_trained,
        number=lambda _, options: options[0],
        text=lambda _, options: options[0],
    )


def propose(space: str, *, is_trained: bool, number: ChooseNumber, text: ChooseText) -> str:
    """The reference of a point, each decision made by `number` or `text`.

    Args:
        space: that `check_space` has let through.
        is_trained: whether there are weights to begin with: channels are pruned by them.
        number: chooses one of some numbers, by the name of the decision.
        text: chooses one of some texts.

    Raises:
        TargetError: no network can be built of what was chosen.
    """
    name, _, base = space.partition(":")
    if name != TRANSFORMS:
        reference: str = zoo().propose_point(space, number)
        return reference
    structure = text("structure", STRUCTURES)
    return base + structure + (text("prune", SHARES) if is_trained else "")
