"""Per image of a split: what the model takes it for, its confidence and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from profiler.errors import UsageError

from .forward import Pass, check_answers, evaluating

if TYPE_CHECKING:
    from training.data.splits import Pixels

TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model said to each image, (N,) each, over all ranks and in the split's order.

    Args:
        labels: the right classes.
        guesses: the classes that the model held to be likeliest.
        is_in_top5: whether the right class was among the first five guesses.
        confidences: probability of the first guess, fp64.
        losses: negative log likelihood of the right class in nats, fp64.
    """

    labels: Tensor
    guesses: Tensor
    is_in_top5: Tensor
    confidences: Tensor
    losses: Tensor

    @property
    def is_right(self) -> Tensor:
        """(N,) bool: whether the first guess was right."""
        return self.guesses == self.labels


def collect_answers(
    model: nn.Module, pixels: Pixels, run: Pass, class_count: int, data: str
) -> Answers:
    """Run the model once.

    Args:
        model: the network itself, not DDP's wrapper; it is left in the mode it was in.
        pixels: a split, on the model's device.
        run: how the model is run.
        class_count: outputs that it must have.
        data: what the split is, for the error.

    Raises:
        MeasurementError: the split is empty, or the model's outputs are not all finite.
        UsageError: the model has fewer or more outputs than there are classes.
    """
    labels = pixels.labels
    columns = torch.zeros(4, len(labels), dtype=torch.float64, device=labels.device)
    broken = torch.zeros(1, dtype=torch.float64, device=labels.device)
    # Each rank fills its part of columns that are zero elsewhere.
    place = run.group.shard(len(pixels)).start
    with evaluating(model):
        for logits, theirs in run.answers(model, pixels):
            if logits.shape[1] != class_count:
                raise UsageError(
                    f"the model tells {logits.shape[1]} classes apart, {data} has {class_count}",
                    hint="evaluate it on data with the classes that it was trained for",
                )
            broken += (~torch.isfinite(logits)).sum()
            columns[:, place : place + len(theirs)] = _judged(logits, theirs)
            place += len(theirs)
    check_answers(len(labels), int(run.group.sum(broken)))
    guesses, in_top5, confidences, losses = run.group.sum(columns)
    return Answers(
        labels=labels,
        guesses=guesses.long(),
        is_in_top5=in_top5.bool(),
        confidences=confidences,
        losses=losses,
    )


def first_guesses(model: nn.Module, pixels: Pixels, run: Pass) -> Tensor:
    """(N,) int64: the class that is held to be likeliest, over all ranks, in the split's order.

    Arguments and errors are those of `collect_answers`.
    """
    device = pixels.labels.device
    guesses = torch.zeros(len(pixels), dtype=torch.float64, device=device)
    broken = torch.zeros(1, dtype=torch.float64, device=device)
    place = run.group.shard(len(pixels)).start
    with evaluating(model):
        for logits, labels in run.answers(model, pixels):
            broken += (~torch.isfinite(logits)).sum()
            guesses[place : place + len(labels)] = logits.argmax(1).double()
            place += len(labels)
    check_answers(len(pixels), int(run.group.sum(broken)))
    return run.group.sum(guesses).long()


def _judged(logits: Tensor, labels: Tensor) -> Tensor:
    """(4, N): first guess, whether the right class is in the first five, confidence, loss."""
    # A stable sort breaks ties, which are common in bf16, as argmax does: the first class wins.
    guesses = logits.sort(dim=1, descending=True, stable=True).indices[:, :TOP]
    hits = guesses == labels[:, None]
    return torch.stack(
        (
            guesses[:, 0].double(),
            hits.any(1).double(),
            logits.double().softmax(1).amax(1),
            cross_entropy(logits.double(), labels, reduction="none"),
        )
    )
