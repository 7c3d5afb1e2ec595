"""Whether a model and its data, or a student and its teacher, have the same classes."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.errors import UsageError
from profiler.values.plain_text import clean


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
