"""The most probable classes of image files, which are prepared as in an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from profiler.errors import InputDataError, UsageError
from profiler.inputs.base import decode
from profiler.inputs.dataset import stack
from profiler.machine.device import find_device
from training.checkpoints.checkpoint import load_model
from training.checkpoints.foreign import is_foreign, load_foreign

from .forward import Pass, arithmetic, check_answers, evaluating

if TYPE_CHECKING:
    from torch import Tensor

BATCH_SIZE = 128
TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A class, and the probability that the model itself gives it."""

    name: str
    label: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the model sees in one file.

    Args:
        file: as it was named.
        guesses: the likeliest classes, best first; empty where the file could not be read.
        problem: why it could not be read; None where it could.
    """

    file: str
    guesses: tuple[Guess, ...] = ()
    problem: str | None = None


def predict(
    checkpoint: Path,
    files: Sequence[Path],
    *,
    top: int = TOP,
    device: str = "auto",
    dtype: str | None = None,
    batch_size: int = BATCH_SIZE,
    model: str | None = None,
    image_size: int | None = None,
) -> tuple[Prediction, ...]:
    """Classify image files; one that cannot be read does not keep the others from it.

    Args:
        checkpoint: of a trained model.
        files: images of any size and mode.
        top: how many classes to tell, at most.
        device: "cpu", "cuda", "cuda:N" or "auto".
        dtype: of the forward pass; None for the one that it was trained in.
        batch_size: images of a call.
        model: reference of the model, where the checkpoint's own must be confirmed or it has none.
        image_size: side of the images, for a checkpoint that does not say it.

    Returns:
        One prediction a file, in their order.

    Raises:
        UsageError: no files, or an impossible `top`.
        CheckpointError: the checkpoint cannot be used.
        MeasurementError: the model's outputs are not all finite.
    """
    if not files:
        raise UsageError("there are no files to predict", hint="name image files")
    if top < 1:
        raise UsageError(f"no {top} classes can be told", hint="give 1 or more")
    place = find_device(device)
    if is_foreign(checkpoint):
        network, info, _ = load_foreign(checkpoint, place.name, model=model, image_size=image_size)
    else:
        network, info = load_model(checkpoint, place.name, model=model)
    run = Pass(
        normalization=info.normalization,
        dtype=arithmetic(network, dtype, info.recipe.dtype),
        channels_last=info.recipe.channels_last,
    )
    _, height, width = info.input_shape
    found: dict[int, Prediction] = {}
    with evaluating(network):
        for indices, images in _batches(files, (height, width), batch_size, found):
            logits = run.logits(network, images.to(place.name))
            check_answers(len(logits), int((~torch.isfinite(logits)).sum()))
            _check_outputs(logits.shape[1], info.class_count, checkpoint)
            for index, row in zip(indices, logits.double().softmax(1), strict=True):
                guesses = _guesses(row, info.class_names, top)
                found[index] = Prediction(file=str(files[index]), guesses=guesses)
    return tuple(found[index] for index in range(len(files)))


def _check_outputs(output_count: int, class_count: int, checkpoint: Path) -> None:
    if output_count != class_count:
        raise UsageError(
            f"the model gives {output_count} outputs, and '{checkpoint}' knows {class_count} "
            "classes",
            hint="name the model that it was trained as with --model",
        )


def _batches(
    files: Sequence[Path], size: tuple[int, int], batch_size: int, found: dict[int, Prediction]
) -> Iterator[tuple[list[int], Tensor]]:
    """Numbers of the files that could be read, and their pixels; the others go into `found`."""
    for start in range(0, len(files), batch_size):
        indices, images = [], []
        for index in range(start, min(start + batch_size, len(files))):
            try:
                images.append(read_image(files[index], size))
                indices.append(index)
            except InputDataError as error:
                found[index] = Prediction(file=str(files[index]), problem=error.message)
        if images:
            yield indices, stack(images, size)


def read_image(file: Path, size: tuple[int, int]) -> Tensor:
    """An image file as uint8 (3, H, W) of a (height, width).

    Raises:
        InputDataError: it cannot be read, or is no image.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputDataError(f"'{file}' cannot be read: {error.strerror}") from error
    return decode(content, str(file), size)


def _guesses(probabilities: Tensor, class_names: Sequence[str], top: int) -> tuple[Guess, ...]:
    # Stable, so that of two equals the first class wins, as it does in an evaluation.
    ranked = probabilities.sort(descending=True, stable=True)
    pairs = zip(ranked.indices[:top].tolist(), ranked.values[:top].tolist(), strict=True)
    return tuple(
        Guess(name=class_names[label], label=label, probability=probability)
        for label, probability in pairs
    )
