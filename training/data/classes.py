"""Whether a model and its data, or a student and its teacher, know the same classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from profiler.errors import InputDataError, ProfilerError, UsageError
from profiler.values.plain_text import clean

if TYPE_CHECKING:
    from torch import Tensor


def check_same_classes(
    known: Sequence[str], other: Sequence[str] | None, *, who: str, whom: str, hint: str
) -> None:
    """Refuse to put side by side what was made for different classes.

    Data of other classes can have as many: 10 digits are not the 10 classes of CIFAR-10, and a
    folder that lacks a class gives all later ones another number.

    Args:
        known: names by label.
        other: names by label; None where they have none, which cannot be told apart.
        who: whose classes `known` are ("the teacher 'a.safetensors'").
        whom: whose classes `other` are.
        hint: what to do.

    Raises:
        UsageError: the numbers or the names differ.
    """
    if other is None:
        return
    if len(known) != len(other):
        raise UsageError(f"{who} knows {len(known)} classes, {whom} has {len(other)}", hint=hint)
    for label, (mine, theirs) in enumerate(zip(known, other, strict=True)):
        if mine != theirs:
            raise UsageError(
                f"class {label} is '{clean(mine)}' to {who}, and '{clean(theirs)}' in {whom}",
                hint=hint,
            )


def as_known(
    labels: Tensor,
    names: Sequence[str] | None,
    known: Sequence[str],
    *,
    whom: str,
    who: str,
    hint: str,
    refusal: type[ProfilerError] = InputDataError,
) -> Tensor:
    """Labels of a split as numbers of the classes that a model knows, (N,).

    A split that lacks a class, or lists them in another order, numbers the others differently: its
    classes are told by their names.

    Args:
        labels: int64 (N,), by the split's own numbers.
        names: its classes by label; None where it has none, and numbers are all that there is.
        known: the model's classes by label.
        whom: the split ("the test split of 'a'").
        who: what knows the classes ("the model of 'b'").
        hint: what to do.
        refusal: what is raised for a class that is not known.

    Raises:
        InputDataError: a label is no class's number, or a class of the split is not known.
    """
    import torch

    count = len(known if names is None else names)
    outside = labels[(labels < 0) | (labels >= count)]
    if len(outside):
        raise InputDataError(
            f"{whom} has a label {int(outside[0])}, but {who} knows {count} classes",
            hint=f"labels are numbers from 0 to {count - 1}",
        )
    if names is None or tuple(names) == tuple(known):
        return labels
    numbers = {name: number for number, name in enumerate(known)}
    used = {names[label] for label in labels.unique().tolist()}
    strange = sorted(used - numbers.keys())
    if strange:
        others = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise refusal(
            f"{whom} has classes that {who} does not know: {clean(', '.join(strange[:3]))}{others} "
            f"({len(strange)} beside the {len(known)} known)",
            hint=hint,
        )
    table = torch.tensor([numbers.get(name, -1) for name in names], device=labels.device)
    return table[labels]
