"""A whole split, decoded: what training reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import InputDataError

from .base import Normalization, Split, fitted
from .sources import open_source

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Images in memory, in the order of the source.

    Args:
        images: uint8 (N, 3, H, W).
        labels: int64 (N,); None where the source has none.
        class_names: by label; None where the source has none.
        normalization: what `load_inputs` applies to the same images.
        description: what it is, for a report.
    """

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...] | None
    normalization: Normalization
    description: str


def load_dataset(
    spec: str,
    split: Split | None,
    *,
    image_size: tuple[int, int] | None = None,
    root: Path | None = None,
) -> Dataset:
    """Decode a whole split.

    Args:
        spec: as `--data` takes it.
        split: "train" or "test"; None for the images that `load_inputs` draws from.
        image_size: (height, width) to resize to; None keeps the stored size.
        root: folder of downloaded data; None for the cache.

    Raises:
        InputDataError: the source is unknown, absent or broken, lacks the split, or holds images
            of several sizes while `image_size` is None.
    """
    opened = open_source(spec, split=split, root=root)
    return Dataset(
        images=stack(opened.images(range(len(opened)), image_size), image_size),
        labels=opened.labels(),
        class_names=opened.class_names,
        normalization=opened.normalization,
        description=opened.description,
    )


def stack(images: Sequence[Tensor], image_size: tuple[int, int] | None) -> Tensor:
    """One uint8 tensor (N, 3, H, W) of images of any size, resized bilinearly (antialiased).

    Raises:
        InputDataError: the sizes differ and none is asked for.
    """
    import torch

    if image_size is None:
        check_one_size([(image.shape[1], image.shape[2]) for image in images])
    return torch.stack([fitted(image, image_size) for image in images])


def check_one_size(sizes: Sequence[tuple[int, int]]) -> None:
    """Refuse images of several (height, width)."""
    different = sorted(set(sizes))
    if len(different) > 1:
        first, last = ("x".join(map(str, size)) for size in (different[0], different[-1]))
        raise InputDataError(
            f"the images differ in size, from {first} to {last}",
            hint="bring them to one size, as --image-size does in training",
        )
