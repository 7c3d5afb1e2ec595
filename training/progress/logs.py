"""Logs for other people's tools beside the view; one that fails never ends a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

from .view import Gauge, Progress, View

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.result import TrainingResult

LOGS = {"tensorboard": "event files for TensorBoard, in the run's folder"}
"""Module of this package, with `open_log() -> View` -> what it writes, for the help."""


def with_logs(view: View, names: Iterable[str]) -> View:
    """A view, and logs beside it that are told the same.

    Raises:
        UsageError: what a log needs is not installed.
    """
    logs = {name: import_module(f".{name}", __package__).open_log() for name in names}
    return LoggedView(view, logs) if logs else view


class LoggedView:
    """Hands on everything to a view and to logs; a log that raises is noted once and left out.

    Args:
        view: who watches.
        logs: by name.
    """

    def __init__(self, view: View, logs: dict[str, View]) -> None:
        self._view, self._logs = view, logs

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
        self._tell(
            lambda view: view.begin(
                recipe, folder=folder, description=description, done_epochs=done_epochs,
                gauge=gauge, epoch_steps=epoch_steps, done_steps=done_steps,
            )
        )  # fmt: skip

    def stage(self, text: str) -> None:
        self._tell(lambda view: view.stage(text))

    def tick(self) -> None:
        self._tell(lambda view: view.tick())

    def step(self, epoch: int, share: float) -> None:
        self._tell(lambda view: view.step(epoch, share))

    def loss(self, step: int, loss: float) -> None:
        self._tell(lambda view: view.loss(step, loss))

    def epoch(self, progress: Progress) -> None:
        self._tell(lambda view: view.epoch(progress))

    def note(self, text: str) -> None:
        self._tell(lambda view: view.note(text))

    def end(self, outcome: TrainingResult) -> None:
        self._tell(lambda view: view.end(outcome))

    def close(self) -> None:
        self._tell(lambda view: view.close())

    def _tell(self, call: Callable[[View], None]) -> None:
        call(self._view)
        for name, log in list(self._logs.items()):
            try:
                call(log)
            except Exception as error:  # the user's disk, or a fault of the tool
                heed_interruption(error)
                del self._logs[name]
                self._view.note(f"--log {name} has failed and is left out: {one_line(error)}")
