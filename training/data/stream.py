"""A split too large for memory: worker processes decode it in the order it is used.

Their images come through pipes, as numpy arrays. Tensors would come through /dev/shm, which has 64
MB in a container by default: where it is full, DataLoader drops a batch and waits for it for ever.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from profiler.errors import InputDataError, ProfilerError
from profiler.inputs.base import ImageSet
from profiler.inputs.dataset import check_one_size

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
        is_resized: whether images of another size are brought to this one, or are an error.
    """

    def __init__(
        self,
        source: ImageSet,
        labels: Tensor,
        size: tuple[int, int],
        numbers: Tensor | None = None,
        *,
        is_resized: bool = True,
    ) -> None:
        self.labels = labels
        self._source = source
        self._size = size
        self._numbers = torch.arange(len(labels)) if numbers is None else numbers
        self._is_resized = is_resized

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def subset(self, numbers: Tensor) -> StreamedPixels:
        return StreamedPixels(
            self._source, self.labels[numbers], self._size, self._numbers[numbers.cpu()],
            is_resized=self._is_resized,
        )  # fmt: skip

    def with_labels(self, labels: Tensor) -> StreamedPixels:
        return StreamedPixels(
            self._source, labels, self._size, self._numbers, is_resized=self._is_resized
        )

    def prepare(self, padding: int) -> None:
        """Nothing is kept in memory: a batch gets its border when it is there."""

    def fetch(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        device = self.labels.device
        stored = [self._numbers[numbers.cpu()].tolist() for numbers in batches]
        loader = DataLoader(
            _Decoder(self._source, self._size, is_resized=self._is_resized),
            batch_sampler=stored,
            collate_fn=_as_it_is,
            worker_init_fn=_leave_signals_to_parent,
            num_workers=min(MOST_WORKERS, len(os.sched_getaffinity(0))),
        )
        with explaining_lost_workers():
            for images in loader:
                if isinstance(images, ProfilerError):
                    raise images
                decoded = torch.from_numpy(images)
                if device.type == "cuda":
                    decoded = decoded.pin_memory()
                yield decoded.to(device, non_blocking=True)

    def fetch_bordered(
        self, batches: Sequence[Tensor], padding: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for images in self.fetch(batches):
            yield padded(images, padding), torch.arange(len(images), device=images.device)


@contextmanager
def explaining_lost_workers() -> Iterator[None]:
    """Turn the death of a worker, which DataLoader raises wherever the program is, into a sentence.

    Raises:
        InputDataError: a worker process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputDataError(
            f"a process that decodes images was lost: {str(error).partition(chr(10))[0].strip()}",
            hint="it may have run out of memory: `dmesg` says so; give the program fewer CPUs with "
            "`taskset -c 0-3`, each of which decodes in a process of its own",
        ) from error


def _as_it_is(batch: Any) -> Any:
    return batch


def _leave_signals_to_parent(number: int) -> None:
    """Ctrl-C reaches every process of the terminal; the parent ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Decoder(Dataset[Any]):
    """Batches of a source's images at the size wanted: uint8 (B, 3, H, W), or what went wrong."""

    def __init__(self, source: ImageSet, size: tuple[int, int], *, is_resized: bool) -> None:
        self._source = source
        self._size = size
        self._asked = size if is_resized else None

    def __len__(self) -> int:
        return len(self._source)

    def __getitems__(self, numbers: Sequence[int]) -> np.ndarray[Any, Any] | ProfilerError:
        try:
            # One by one, so that no more than one image is there at its full size.
            images = [self._source.images([number], self._asked)[0] for number in numbers]
            check_one_size([self._size, *((image.shape[1], image.shape[2]) for image in images)])
        except ProfilerError as error:  # DataLoader would make a traceback of it
            return error
        return torch.stack(images).numpy()
