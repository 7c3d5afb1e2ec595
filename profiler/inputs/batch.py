"""One batch for a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import InputDataError

from .base import ImageSet, Normalization, fitted
from .sources import IMAGE_SHAPE, find_source, open_source

if TYPE_CHECKING:
    from torch import Tensor

CALIBRATION_IMAGES = 256
CALIBRATION_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Inputs of one call.

    Args:
        images: fp32 (B, 3, H, W), normalised per channel, on the CPU.
        labels: int64 (B,); None where the source has none.
        description: what they are, whether they were resized and whether they repeat.
        source: the spec they were asked for by.
    """

    images: Tensor
    labels: Tensor | None
    description: str
    source: str


def load_inputs(
    spec: str,
    *,
    batch_size: int,
    input_shape: tuple[int, ...] | None = None,
    seed: int,
    root: Path | None = None,
) -> Batch:
    """Draw a batch from a source, without replacement while the images last.

    Args:
        spec: as `--data` takes it: one of the forms in `SOURCES`.
        batch_size: images in the batch; more than the source has are repeated, and said to be.
        input_shape: (3, height, width) that the model takes; images are resized to it. None keeps
            the size of stored images; digits and noise are then of 3x32x32.
        seed: of the draw, or of the noise.
        root: folder of downloaded data; None for the cache.

    Raises:
        InputDataError: the batch size or shape is impossible, or the source is unknown, absent or
            broken.
    """
    if batch_size < 1:
        raise InputDataError(
            f"a batch holds at least one image, not {batch_size}", hint="--batch-size 1"
        )
    source, _ = find_source(spec)
    if input_shape is None:
        input_shape = source.usual_shape
    elif min(input_shape, default=0) < 1:
        raise InputDataError(f"no image has the shape {_times(input_shape)}")
    if source.open is None:
        assert input_shape is not None  # noise has no size of its own
        return _noise(spec, batch_size, input_shape, seed)
    if input_shape is not None and (len(input_shape) != 3 or input_shape[0] != 3):
        raise InputDataError(
            f"{spec} holds images of 3 channels, the model takes {_times(input_shape)}",
            hint="--data synthetic takes any shape",
        )
    return _drawn(open_source(spec, split=None, root=root), spec, batch_size, input_shape, seed)


def load_calibration(
    spec: str, *, input_shape: tuple[int, ...] = IMAGE_SHAPE, seed: int, root: Path | None = None
) -> tuple[Tensor, ...]:
    """Batches of up to 256 training images, to choose the ranges of a quantized network by.

    Where the source has no training split, they are those that it has; noise is noise.

    Raises:
        InputDataError: as `load_inputs`.
    """
    source, _ = find_source(spec)
    if source.open is None or len(input_shape) != 3:
        batch = load_inputs(
            spec, batch_size=CALIBRATION_IMAGES, input_shape=input_shape, seed=seed, root=root
        )
    else:
        try:
            opened = open_source(spec, split="train", root=root)
        except InputDataError:
            opened = open_source(spec, split=None, root=root)
        batch = _drawn(opened, spec, min(CALIBRATION_IMAGES, len(opened)), input_shape, seed)
    batches: tuple[Tensor, ...] = batch.images.split(CALIBRATION_BATCH)
    return batches


def _drawn(
    opened: ImageSet, spec: str, batch_size: int, input_shape: tuple[int, ...] | None, seed: int
) -> Batch:
    import torch

    order = torch.randperm(len(opened), generator=torch.Generator().manual_seed(seed))
    different = order[:batch_size].tolist()
    notes = [opened.description]
    stored: set[tuple[int, ...]] = set()
    fitting = []
    for index in different:  # one by one: photographs are large
        image = opened.images([index])[0]
        stored.add(tuple(image.shape))
        if input_shape is None and len(stored) > 1:
            break
        height, width = (input_shape or tuple(image.shape))[1:]
        fitting.append(fitted(image, (height, width)))
    if input_shape is None:
        input_shape = _own_shape(spec, stored)
    if stored != {input_shape}:
        notes.append(f"resized to {_times(input_shape)}")
    images = normalize(torch.stack(fitting), opened.normalization)
    labels = opened.labels()
    labels = None if labels is None else labels[different]
    if batch_size > len(different):
        notes.append(f"{len(different)} images repeated to fill a batch of {batch_size}")
        again = torch.arange(batch_size) % len(different)
        images = images[again]
        labels = None if labels is None else labels[again]
    return Batch(images=images, labels=labels, description=", ".join(notes), source=spec)


def _own_shape(spec: str, stored: set[tuple[int, ...]]) -> tuple[int, ...]:
    """The one shape of stored images."""
    if len(stored) > 1:
        first, last = _times(min(stored)), _times(max(stored))
        raise InputDataError(
            f"the images of {spec} differ in size, from {first} to {last}",
            hint="say what size the model takes, such as --input-shape 3x224x224",
        )
    return next(iter(stored))


def normalize(images: Tensor, normalization: Normalization) -> Tensor:
    """uint8 (N, 3, H, W) to fp32 of about zero mean and unit deviation per channel."""
    import torch

    mean = torch.tensor(normalization.mean).view(3, 1, 1)
    std = torch.tensor(normalization.std).view(3, 1, 1)
    return (images.float() / 255 - mean) / std


def _noise(spec: str, batch_size: int, input_shape: tuple[int, ...], seed: int) -> Batch:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return Batch(
        images=torch.randn(batch_size, *input_shape, generator=generator),
        labels=None,
        description=f"synthetic: standard normal noise of {_times(input_shape)}, seed {seed}",
        source=spec,
    )


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
