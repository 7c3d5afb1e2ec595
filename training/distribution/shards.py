"""Contiguous parts of a batch or a split, one a rank."""

from __future__ import annotations


def shard(count: int, rank: int, world_size: int) -> slice:
    """The part of `count` items that one rank takes; empty for some where items are too few.

    The parts of all ranks are contiguous, disjoint and cover everything; the first `count %
    world_size` ranks take one more.
    """
    size, extra = divmod(count, world_size)
    start = rank * size + min(rank, extra)
    return slice(start, start + size + (rank < extra))


def step_shard(count: int, rank: int, world_size: int) -> tuple[slice, float]:
    """A rank's part of a batch of `count` images, and what its mean loss is multiplied by.

    The average over ranks of the gradients of `weight * mean(loss of the part)` is the gradient of
    the mean loss over the whole batch, also where the parts differ in length. A rank with nothing
    to do takes the first image with weight 0, since every rank must take part in the average.
    """
    part = shard(count, rank, world_size)
    own_count = part.stop - part.start
    if own_count == 0:
        return slice(0, 1), 0.0
    return part, own_count * world_size / count
