"""A split too large for memory: worker processes decode it in the order it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from profiler.inputs.base import ImageSet
from profiler.inputs.dataset import stack

from .augmentation import padded
from .pixels import Pixels

MOST_WORKERS = 8


class StreamedPixels(Pixels):
    """A labelled split whose images stay where they are stored.

    Args:
        source: decodes the images that are asked for.
        labels: int64 (N,), on the training device.
        size: (height, width) to which images are resized.
        numbers: (N,) which images of the source these are; None for all.
    """

    def __init__(
        self,
        source: ImageSet,
        labels: Tensor,
        size: tuple[int, int],
        numbers: Tensor | None = None,
    ) -> None:
        self.labels = labels
        self._source = source
        self._size = size
        self._numbers = torch.arange(len(labels)) if numbers is None else numbers

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def subset(self, numbers: Tensor) -> StreamedPixels:
        return StreamedPixels(
            self._source, self.labels[numbers], self._size, self._numbers[numbers.cpu()]
        )

    def prepare(self, padding: int) -> None:
        """Nothing is kept in memory: a batch gets its border when it is there."""

    def fetch(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        device = self.labels.device
        stored = [self._numbers[numbers.cpu()].tolist() for numbers in batches]
        loader = DataLoader(
            _Decoder(self._source, self._size),
            batch_sampler=stored,
            collate_fn=torch.stack,
            num_workers=min(MOST_WORKERS, len(os.sched_getaffinity(0))),
            pin_memory=device.type == "cuda",
        )
        for images in loader:
            yield images.to(device, non_blocking=True)

    def fetch_bordered(
        self, batches: Sequence[Tensor], padding: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for images in self.fetch(batches):
            yield padded(images, padding), torch.arange(len(images), device=images.device)


class _Decoder(Dataset[Tensor]):
    """One image of a source at a time, at the size wanted."""

    def __init__(self, source: ImageSet, size: tuple[int, int]) -> None:
        self._source = source
        self._size = size

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, number: int) -> Tensor:
        return stack(self._source.images([number]), self._size)[0]
