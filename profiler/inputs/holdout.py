"""A share of each class, held out of the images that are learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from profiler.errors import InputDataError
from profiler.values.plain_text import clean

if TYPE_CHECKING:
    from torch import Tensor


def held_out(labels: Tensor, share: float, seed: int, names: Sequence[str] | None) -> Tensor:
    """Which images are held out, bool (N,): of every class its share, and at least one.

    Args:
        labels: int64 (N,), on the CPU.
        share: of each class.
        seed: of the draw.
        names: by label, for the error.

    Raises:
        InputDataError: a class has one image, which cannot be on both sides.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        numbers = (labels == label).nonzero()[:, 0]
        if len(numbers) == 1:
            name = clean(names[label]) if names else int(label)
            raise InputDataError(
                f"class '{name}' has one image, which cannot be both learnt from and held out",
                hint="add images to that class, or take it out of the data",
            )
        shuffled = numbers[torch.randperm(len(numbers), generator=generator)]
        chosen[shuffled[: max(round(share * len(numbers)), 1)]] = True
    return chosen
