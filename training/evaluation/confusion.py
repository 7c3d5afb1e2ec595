"""What a model took the images of each class for, and what that says of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from profiler.values.estimate import Estimate
from training.result import Confusion

from .accuracy import top1_accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAccuracy:
    """What a model made of one class.

    Args:
        name: of the class.
        image_count: its images.
        accuracy: share of them that were taken for it (recall); None where there are none.
        guess_count: images, of any class, that were taken for it.
        precision: share of these that are of it; None where there are none.
    """

    name: str
    image_count: int
    accuracy: Estimate | None
    guess_count: int
    precision: Estimate | None


def confusion_of(labels: Tensor, guesses: Tensor, class_names: Sequence[str]) -> Confusion:
    """Count what each class was taken for.

    Args:
        labels: shape (N,), the right classes.
        guesses: shape (N,), the first guesses.
        class_names: by label.
    """
    pairs, counts = torch.stack((labels, guesses)).cpu().unique(dim=1, return_counts=True)
    cells = zip(*pairs.tolist(), counts.tolist(), strict=True)
    return Confusion(class_names=tuple(class_names), cells=tuple(cells))


def by_class(confusion: Confusion, data: str) -> tuple[ClassAccuracy, ...]:
    """Recall and precision of every class, by label, with Wilson intervals.

    Args:
        confusion: of a split.
        data: what that split is, for the sources.
    """
    size = len(confusion.class_names)
    images, guesses, right = [0] * size, [0] * size, [0] * size
    for label, guess, count in confusion.cells:
        images[label] += count
        guesses[guess] += count
        right[label] += count if label == guess else 0
    return tuple(
        ClassAccuracy(
            name=name,
            image_count=images[label],
            accuracy=_share(right[label], images[label], f"images of '{name}' right", data),
            guess_count=guesses[label],
            precision=_share(right[label], guesses[label], f"guesses of '{name}' right", data),
        )
        for label, name in enumerate(confusion.class_names)
    )


def _share(right: int, total: int, what: str, data: str) -> Estimate | None:
    if not total:
        return None
    return top1_accuracy(right, total, f"top-1: {right:,} of {total:,} {what}, {data}")
