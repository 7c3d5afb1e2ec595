"""The test accuracy in a checkpoint's header, where `profiler measure` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy import packbits
from torch import nn

from profiler.inputs.base import Normalization
from profiler.values.codec import encode
from profiler.workload.stated_accuracy import PRECISION
from training.checkpoints.checkpoint import save_weights
from training.checkpoints.checkpoint_file import read_tensors
from training.distribution import ALONE, Group

from .accuracy import top1_accuracy
from .answers import right_answers
from .evaluation import top1_source
from .forward import BATCH_SIZE, Pass

if TYPE_CHECKING:
    from training.data.splits import Pixels

NOTE = "accuracy"


def accuracy_note(
    model: nn.Module,
    pixels: Pixels,
    normalization: Normalization,
    *,
    data: str,
    dtypes: Sequence[str],
    batch_size: int = BATCH_SIZE,
    channels_last: bool = False,
    group: Group = ALONE,
    after_batch: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """What a checkpoint's header keeps of its accuracy: see `profiler.workload.stated_accuracy`.

    An accuracy holds for the precision that it was reached in, and a checkpoint is measured in
    others than it was trained in: so one for each. Which images were right is kept for fp32, so
    that two checkpoints can be compared image by image.

    Args:
        model: the network itself, with the weights of the checkpoint.
        pixels: the test split.
        normalization: applied to the pixels.
        data: what the split is.
        dtypes: of the forward pass, under autocast.
        batch_size: images of a call.
        channels_last: memory format of the images.
        group: ranks that share the work.
        after_batch: called when the calls of a batch have been made.

    Raises:
        MeasurementError: the split is empty, or the model's outputs are not all finite.
    """
    note: dict[str, Any] = {"data": data, "by_dtype": {}}
    for dtype in dict.fromkeys(dtypes):
        run = Pass(
            normalization=normalization, batch_size=batch_size, dtype=dtype,
            channels_last=channels_last, group=group, after_batch=after_batch,
        )  # fmt: skip
        is_right = right_answers(model, pixels, run)
        correct, total = int(is_right.sum()), len(is_right)
        accuracy = top1_accuracy(correct, total, top1_source(correct, total, data))
        note["by_dtype"][dtype] = encode(accuracy)
        if dtype == PRECISION:
            note["right_answers"] = packbits(is_right.cpu().numpy()).tobytes().hex()
    return note


def keep_accuracy(checkpoint: Path, note: Mapping[str, Any]) -> None:
    """Write the note into the header of a checkpoint of weights; all else in it stays.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        StoreError: it cannot be written; the file before it is whole.
    """
    info, _, weights = read_tensors(checkpoint)
    save_weights(checkpoint, replace(info, notes={**(info.notes or {}), NOTE: note}), weights)
