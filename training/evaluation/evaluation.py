"""Accuracy of a model on a split, in all and by class, with its loss and calibration error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from profiler.inputs.base import Normalization
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from training.distribution import ALONE, Group
from training.result import Confusion

from .accuracy import mean_loss, top1_accuracy
from .answers import TOP, collect_answers
from .calibration_error import calibrate
from .confusion import ClassAccuracy, by_class, confusion_of
from .forward import BATCH_SIZE, Pass, check_answers, evaluating

if TYPE_CHECKING:
    from training.data.splits import Pixels

__all__ = [
    "ClassAccuracy",
    "Count",
    "Evaluation",
    "count_correct",
    "evaluate",
    "top1_accuracy",
]


class Count(NamedTuple):
    """Right answers of a model on a split, over all ranks.

    Args:
        correct: images whose first guess was right.
        total: images evaluated.
        loss: mean cross entropy, in nats.
    """

    correct: int
    total: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A model on a split.

    Args:
        data: what was evaluated on.
        image_count: how many images.
        dtype: "fp32", or what the forward pass ran in under autocast: "bf16", "fp16"; of a variant
            whose transform sets its precision, that transform: "int8".
        top1: share of images whose first guess is right, with its Wilson interval.
        top5: share of images with the right class among the first five guesses; None for fewer
            than six classes, where it says nothing.
        per_class: by label.
        confusion: what the images of each class were taken for.
        loss: mean negative log likelihood, in nats, with the interval of a mean over images.
        calibration_error: expected calibration error, biased upwards on few images.
        calibration_chance: what a model that is calibrated exactly would show of it.
        energy_per_image_j: gross joules of the device and its host; None without sensor or where
            not asked.
        images_per_s: images already on the device, normalisation included; None where not asked.
        findings: what to know before trusting a number.
        model: reference of the variant; None where a network itself was handed over.
    """

    data: str
    image_count: int
    dtype: str
    top1: Estimate
    top5: Estimate | None
    per_class: tuple[ClassAccuracy, ...]
    confusion: Confusion
    loss: Estimate
    calibration_error: Estimate
    calibration_chance: Estimate
    energy_per_image_j: Estimate | None = None
    images_per_s: Estimate | None = None
    findings: tuple[Finding, ...] = ()
    model: str | None = None


def count_correct(
    model: nn.Module,
    pixels: Pixels,
    normalization: Normalization,
    *,
    batch_size: int = BATCH_SIZE,
    dtype: str = "fp32",
    channels_last: bool = False,
    group: Group = ALONE,
    after_batch: Callable[[], None] | None = None,
) -> Count:
    """Count right answers, with one wait for the device at the end. Arguments as of `Pass`.

    Raises:
        MeasurementError: the split is empty, or the model's outputs are not all finite.
    """
    run = Pass(
        normalization=normalization, batch_size=batch_size, dtype=dtype,
        channels_last=channels_last, group=group, after_batch=after_batch,
    )  # fmt: skip
    sums = torch.zeros(4, dtype=torch.float64, device=pixels.labels.device)
    with evaluating(model):
        for logits, labels in run.answers(model, pixels):
            sums[0] += (logits.argmax(1) == labels).sum()
            sums[1] += len(labels)
            sums[2] += cross_entropy(logits, labels, reduction="none").double().sum()
            sums[3] += (~torch.isfinite(logits)).sum()
    correct, total, loss, broken = group.sum(sums).tolist()
    check_answers(int(total), int(broken))
    return Count(correct=int(correct), total=int(total), loss=loss / total)


def top1_source(correct: int, total: int, data: str) -> str:
    """Where a top-1 accuracy comes from, for a report."""
    return f"top-1: {correct:,} of {total:,} images right, {data}"


def evaluate(
    model: nn.Module,
    pixels: Pixels,
    normalization: Normalization,
    *,
    data: str,
    class_names: Sequence[str],
    batch_size: int = BATCH_SIZE,
    dtype: str = "fp32",
    channels_last: bool = False,
    group: Group = ALONE,
) -> Evaluation:
    """Evaluate a model on a split.

    Args:
        model: the network itself, not DDP's wrapper; it is left in the mode it was in.
        pixels: a split, on the model's device.
        normalization: applied to the pixels.
        data: what the split is, for the report.
        class_names: by label.
        batch_size: images of a call; it changes nothing but speed and memory.
        dtype: of the forward pass, under autocast.
        channels_last: memory format of the images.
        group: ranks that share the work; the sums are those over all of them.

    Raises:
        MeasurementError: the split is empty, or the model's outputs are not all finite.
        UsageError: the model has fewer or more outputs than there are classes.
    """
    run = Pass(
        normalization=normalization, batch_size=batch_size, dtype=dtype,
        channels_last=channels_last, group=group,
    )  # fmt: skip
    answers = collect_answers(model, pixels, run, len(class_names), data)
    total, right = len(answers.labels), answers.is_right
    calibration = calibrate(answers.confidences.cpu().numpy(), right.cpu().numpy())
    correct, in_top5 = int(right.sum()), int(answers.is_in_top5.sum())
    confusion = confusion_of(answers.labels, answers.guesses, class_names)
    return Evaluation(
        data=data,
        image_count=total,
        dtype=dtype,
        top1=top1_accuracy(correct, total, top1_source(correct, total, data)),
        top5=top1_accuracy(in_top5, total, f"top-5: {in_top5:,} of {total:,} images, {data}")
        if len(class_names) > TOP
        else None,
        per_class=by_class(confusion, data),
        confusion=confusion,
        loss=mean_loss(answers.losses.tolist(), f"negative log likelihood, {data}"),
        calibration_error=replace(calibration.error, source=f"{calibration.error.source}; {data}"),
        calibration_chance=calibration.chance,
    )
