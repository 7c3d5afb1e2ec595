"""Loss and right answers of an epoch so far, on the device so that no step waits for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from profiler.errors import CheckpointError, TrainingError
from training.distribution import Group
from training.recipe import Recipe

NEVER = 2.0**53
RATES = {"sgd": 0.3, "adamw": 1e-3}
"""Peaks that are usual for each optimizer, to try where a larger one diverged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """An epoch so far, over all ranks.

    Args:
        loss: sum over images.
        right: right answers.
        seen: images.
    """

    loss: float = 0.0
    right: float = 0.0
    seen: float = 0.0

    @property
    def mean_loss(self) -> float:
        """Per image."""
        return self.loss / self.seen

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.seen

    @property
    def is_finite(self) -> bool:
        """Whether no loss was NaN or infinite."""
        return math.isfinite(self.loss)

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            loss=self.loss + other.loss,
            right=self.right + other.right,
            seen=self.seen + other.seen,
        )

    def minus(self, earlier: Sums) -> Sums:
        """What has come since."""
        return Sums(
            loss=self.loss - earlier.loss,
            right=self.right - earlier.right,
            seen=self.seen - earlier.seen,
        )


def sums_from(notes: Mapping[str, object] | None) -> Sums:
    """What a checkpoint inside an epoch kept of it."""
    kept = (notes or {}).get("sums")
    names = ("loss", "right", "seen")
    if not isinstance(kept, dict):
        return Sums()
    values = [kept.get(name, 0.0) for name in names]
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise CheckpointError(
            f"the checkpoint's sums of an unfinished epoch are {kept!r}, not numbers",
            hint="train anew, into another --out",
        )
    return Sums(**{name: float(value) for name, value in zip(names, values, strict=True)})


class Running:
    """Adds up the steps of one epoch."""

    def __init__(self, device: torch.device | str) -> None:
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)
        self._first_bad = torch.full((), NEVER, dtype=torch.float64, device=device)

    @torch.no_grad()
    def add(self, logits: Tensor, loss: Tensor, labels: Tensor, step: int) -> None:
        """Count one step, this rank's part of it."""
        loss = loss.double()
        right = (logits.argmax(1) == labels).sum().double()
        seen = torch.full_like(loss, len(labels))
        self._sums += torch.stack((loss * len(labels), right, seen))
        bad = torch.where(torch.isfinite(loss), NEVER, float(step))
        torch.minimum(self._first_bad, bad, out=self._first_bad)

    def look(self, group: Group) -> Sums:
        """The epoch so far; waits for the device and for the other ranks."""
        loss, right, seen = group.sum(self._sums).tolist()
        return Sums(loss=loss, right=right, seen=seen)

    @property
    def first_bad_step(self) -> int | None:
        """The first step, as `add` was told it, whose loss was not finite on this rank."""
        bad = self._first_bad.item()
        return None if bad >= NEVER else int(bad)


def diverged(recipe: Recipe, epoch: int, step: int, steps: int, rate: float) -> TrainingError:
    """The error of a loss that is NaN or infinite.

    Args:
        recipe: what was trained, for what to try.
        epoch: 1 for the first.
        step: of the epoch, 1 for the first.
        steps: of an epoch.
        rate: learning rate of that step.
    """
    usual = RATES[recipe.optimizer]
    tries = [f"--learning-rate {min(recipe.learning_rate / 3, usual):.2g}"]
    if recipe.warmup_share < 0.2:
        tries.append("--warmup-share 0.2")
    if recipe.dtype != "fp32":
        tries.append("--dtype fp32")
    return TrainingError(
        f"the loss became NaN or infinite in epoch {epoch}, step {step} of {steps}, at a learning "
        f"rate of {rate:.4g}",
        hint=f"try {', or '.join(tries)}; the ledger keeps what was spent",
    )
