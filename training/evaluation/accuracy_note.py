"""The test accuracy in a checkpoint's header, where `profiler measure` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy import packbits
from torch import nn

from profiler.inputs.base import Normalization
from profiler.values.codec import encode
from profiler.values.estimate import Estimate
from profiler.workload.stated_accuracy import PRECISION
from training.checkpoints.checkpoint import save_weights
from training.checkpoints.checkpoint_file import read_tensors
from training.distribution import ALONE, Group
from training.result import Confusion

from .accuracy import top1_accuracy
from .answers import first_guesses
from .confusion import confusion_of
from .evaluation import top1_source
from .forward import BATCH_SIZE, Pass

if TYPE_CHECKING:
    from training.data.splits import Pixels

NOTE = "accuracy"


class Tested(NamedTuple):
    """What trained weights come to on the split that chose nothing.

    Args:
        accuracy: in the first of the dtypes.
        confusion: of the same answers.
        note: for the checkpoint's header, see `profiler.workload.stated_accuracy`.
    """

    accuracy: Estimate
    confusion: Confusion
    note: dict[str, Any]


def judge_weights(
    model: nn.Module,
    pixels: Pixels,
    normalization: Normalization,
    *,
    data: str,
    class_names: Sequence[str],
    dtypes: Sequence[str],
    batch_size: int = BATCH_SIZE,
    channels_last: bool = False,
    group: Group = ALONE,
    after_batch: Callable[[], None] | None = None,
) -> Tested:
    """Test weights in each of several precisions.

    An accuracy holds for the precision that it was reached in, and a checkpoint is measured in
    others than it was trained in: so one for each. Which images were right is kept for fp32, so
    that two checkpoints can be compared image by image.

    Args:
        model: the network itself, with the weights of the checkpoint.
        pixels: the test split.
        normalization: applied to the pixels.
        data: what the split is.
        class_names: by label.
        dtypes: of the forward pass, under autocast.
        batch_size: images of a call.
        channels_last: memory format of the images.
        group: ranks that share the work.
        after_batch: called when the calls of a batch have been made.

    Raises:
        MeasurementError: the split is empty, or the model's outputs are not all finite.
    """
    note: dict[str, Any] = {"data": data, "by_dtype": {}}
    found: list[tuple[Estimate, Confusion]] = []
    for dtype in dict.fromkeys(dtypes):
        run = Pass(
            normalization=normalization, batch_size=batch_size, dtype=dtype,
            channels_last=channels_last, group=group, after_batch=after_batch,
        )  # fmt: skip
        guesses = first_guesses(model, pixels, run)
        is_right = guesses == pixels.labels
        correct, total = int(is_right.sum()), len(is_right)
        accuracy = top1_accuracy(correct, total, top1_source(correct, total, data))
        found.append((accuracy, confusion_of(pixels.labels, guesses, class_names)))
        note["by_dtype"][dtype] = encode(accuracy)
        if dtype == PRECISION:
            note["right_answers"] = packbits(is_right.cpu().numpy()).tobytes().hex()
    return Tested(*found[0], note)


def keep_accuracy(checkpoint: Path, note: Mapping[str, Any]) -> None:
    """Write the note into the header of a checkpoint of weights; all else in it stays.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        StoreError: it cannot be written; the file before it is whole.
    """
    info, _, weights = read_tensors(checkpoint)
    save_weights(checkpoint, replace(info, notes={**(info.notes or {}), NOTE: note}), weights)
