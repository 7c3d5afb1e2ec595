"""Event files for TensorBoard, in the run's own folder: `tensorboard --logdir trainings`.

The horizontal axis is the optimizer's steps. A joule or a watt has its interval beside it, as
`energy_j/low` and `energy_j/high`, and its basis and source as text, whenever they change.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.values.codec import encode
from profiler.values.estimate import Estimate

from .view import Gauge, Progress

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.result import TrainingResult

FOLDER = "tensorboard"
GAUGE_PERIOD_S = 1.0
FLUSH_S = 10


def open_log() -> TensorBoardLog:
    """A log of the run that is to begin.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--log tensorboard needs the package tensorboard, which is not installed",
            hint="pip install tensorboard",
        ) from error
    return TensorBoardLog(SummaryWriter)


class TensorBoardLog:
    """A view that writes what it is told.

    Args:
        make_writer: `torch.utils.tensorboard.SummaryWriter`.
        now_s: a monotonic clock.
    """

    def __init__(
        self, make_writer: Callable[..., Any], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._make_writer, self._now_s = make_writer, now_s
        self._open: Callable[[], Any] | None = None
        self._opened: Any = None
        self._gauge: Gauge | None = None
        self._epoch_steps = 1
        self._step = 0
        self._gauged_s = now_s()
        self._about = ""
        self._told: dict[str, str] = {}

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
        self._gauge, self._epoch_steps, self._step = gauge, epoch_steps, done_steps
        self._open = partial(
            self._make_writer,
            str(folder / FOLDER),
            # What a killed segment did beyond its last checkpoint is done again.
            purge_step=done_steps + 1 if done_steps else None,
            flush_secs=FLUSH_S,
        )
        self._about = f"{description}\n\n    {json.dumps(encode(recipe))}"

    def stage(self, text: str) -> None: ...

    def tick(self) -> None: ...

    def step(self, epoch: int, share: float) -> None:
        self._step = round((epoch - 1 + share) * self._epoch_steps)
        if self._gauge is not None and self._now_s() - self._gauged_s >= GAUGE_PERIOD_S:
            self._gauged_s = self._now_s()
            self._estimate("energy_j", self._gauge.joules_so_far)
            self._estimate("power_w", self._gauge.power_w)

    def loss(self, step: int, loss: float) -> None:
        self._number("step/loss", loss, step)

    def epoch(self, progress: Progress) -> None:
        point = progress.point
        self._step = point.epoch * self._epoch_steps
        self._number("epoch/loss", point.loss)
        self._number("epoch/train_accuracy", point.train_accuracy)
        self._number("epoch/validation_accuracy", point.validation_accuracy)
        self._number("epoch/learning_rate", point.learning_rate)
        self._number("epoch/images_per_s", point.images_per_s)
        self._estimate("energy_j", point.energy_j)
        self._estimate("power_w", progress.power_w)
        self._estimate("carbon_g", progress.carbon_g)
        self._writer.flush()

    def note(self, text: str) -> None:
        if self._opened is not None:
            self._tell("notes", text)

    def end(self, outcome: TrainingResult) -> None:
        self._estimate("result/test_accuracy", outcome.test_accuracy)
        self._estimate("result/energy_j", outcome.ledger.energy_j)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _writer(self) -> Any:
        """Made when the first step is done: a run that is refused before leaves no file."""
        if self._opened is None:
            assert self._open is not None
            self._opened = self._open()
            self._tell("recipe", self._about)
        return self._opened

    def _number(self, tag: str, value: float | None, step: int | None = None) -> None:
        if value is not None:
            self._writer.add_scalar(tag, value, self._step if step is None else step)

    def _estimate(self, tag: str, estimate: Estimate | None) -> None:
        if estimate is None:
            return
        self._number(tag, estimate.point)
        self._number(f"{tag}/low", estimate.low)
        self._number(f"{tag}/high", estimate.high)
        self._tell(f"{tag}/source", f"{estimate.basis}: {estimate.source}")

    def _tell(self, tag: str, text: str) -> None:
        if self._told.get(tag) != text:
            self._told[tag] = text
            self._writer.add_text(tag, text, self._step)
