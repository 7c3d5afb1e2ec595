"""The batches of an epoch: order, share of each rank, and augmentation."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from profiler.inputs.base import Normalization
from training.distribution import ALONE, Group
from training.recipe import Recipe

from .augmentation import Augmentation, draw_epoch
from .pixels import Pixels


def batches(
    pixels: Pixels,
    recipe: Recipe,
    epoch: int,
    normalization: Normalization,
    *,
    group: Group = ALONE,
    skip: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Augmented images, fp32 (B, 3, H, W), and their labels: this rank's part of each step.

    The last images of an epoch, too few for a batch, are left out; another epoch, another order.

    Args:
        pixels: the split to learn from.
        recipe: batch size, augmentation and seed.
        epoch: 1 for the first.
        normalization: applied to the pixels.
        group: whose part each rank takes.
        skip: steps that were done before a run was interrupted.
    """
    device = pixels.labels.device
    draws = draw_epoch(recipe, epoch, len(pixels), pixels.size, device)
    augment = Augmentation(recipe, pixels.size, normalization, device)
    part, _ = group.step_shard(recipe.batch_size)
    steps = draws.order.split(recipe.batch_size)[skip : steps_per_epoch(pixels, recipe)]
    mine = [step[part] for step in steps]
    for numbers, (bordered, places) in zip(
        mine, pixels.fetch_bordered(mine, recipe.crop_padding), strict=True
    ):
        yield augment(bordered, places, draws, numbers), pixels.labels[numbers]


def steps_per_epoch(pixels: Pixels, recipe: Recipe) -> int:
    """Whole batches in the split."""
    return len(pixels) // recipe.batch_size
