"""One line an epoch on standard error: for log files, and for terminals that cannot be drawn on."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.values.plain_text import clean

from .view import Gauge, Progress
from .words import cost_facts, epoch_facts, epochs, left_facts, title

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.result import TrainingResult


class PlainView:
    """Whole lines, each written at once."""

    def __init__(self) -> None:
        self._epochs = 0

    def begin(
        self,
        recipe: Recipe,
        *,
        folder: Path,
        description: str,
        done_epochs: int = 0,
        gauge: Gauge | None = None,
        epoch_steps: int = 1,
        done_steps: int = 0,
    ) -> None:
        self._epochs = recipe.epochs
        _say(title(recipe, description))
        going_on = f" after {done_epochs}" if done_epochs else ""
        _say(f"{epochs(recipe.epochs)}{going_on}, kept in {folder}")

    def stage(self, text: str) -> None: ...

    def tick(self) -> None: ...

    def step(self, epoch: int, share: float) -> None: ...

    def loss(self, step: int, loss: float) -> None: ...

    def epoch(self, progress: Progress) -> None:
        point = progress.point
        facts = [
            *epoch_facts(point),
            *cost_facts(progress.power_w, point.energy_j, progress.carbon_g),
            *left_facts(progress.left_s, progress.left_j),
        ]
        _say(f"epoch {point.epoch}/{self._epochs}: {', '.join(facts)}")

    def note(self, text: str) -> None:
        _say(text)

    def end(self, outcome: TrainingResult) -> None: ...

    def close(self) -> None: ...


def _say(text: str) -> None:
    # A log that can no longer be written (closed, disk full) is no reason to end a training.
    with suppress(OSError, ValueError):
        print(clean(text), file=sys.stderr, flush=True)
