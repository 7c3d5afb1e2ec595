"""View: the interface through which a training run shows its progress.

The loop does not know whether a view is a terminal, a log file or nothing at all. A view never
raises and never decides anything: a run goes on when its terminal is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from profiler.values.estimate import Basis, Estimate, weakest

if TYPE_CHECKING:
    from pathlib import Path

    from training.recipe import Recipe
    from training.result import CurvePoint, TrainingResult

_RECENT_EPOCHS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands after an epoch.

    Args:
        point: what the epoch came to; its `energy_j` is cumulative over all segments.
        power_w: mean power of this epoch; None without sensor.
        carbon_g: of the joules so far.
        left_s: projected seconds until the last epoch is done.
        left_j: projected joules until then.
    """

    point: CurvePoint
    power_w: Estimate | None = None
    carbon_g: Estimate | None = None
    left_s: float | None = None
    left_j: Estimate | None = None


class Gauge(Protocol):
    """Cheap numbers to be read at any moment: the ledger has them."""

    @property
    def joules_so_far(self) -> Estimate | None:
        """Joules of all segments up to now."""

    @property
    def power_w(self) -> Estimate | None:
        """Power of the last seconds."""


class View(Protocol):
    """Who watches. Every method returns at once; none may cost the loop a device synchronisation.

    The loop calls `begin` once, then for each epoch `step` as often as it likes and `epoch` at its
    end, `stage`, `tick` and `note` at any time, and `end` once where the run came to an outcome.
    `close` follows in every case, also after an error.
    """

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
        """A run starts or goes on.

        Args:
            recipe: all its fields; `epochs` of it are to be done.
            folder: the run's folder.
            description: device and data in one line.
            done_epochs: epochs of earlier segments.
            gauge: joules and watts between two epochs.
            epoch_steps: steps of an epoch.
            done_steps: steps of earlier segments.
        """

    def stage(self, text: str) -> None:
        """What happens beside training: "decoding", "compiling", "evaluating"."""

    def tick(self) -> None:
        """Time goes on inside a stage: joules and watts are worth another look."""

    def step(self, epoch: int, share: float) -> None:
        """`share` (0 to 1) of the batches of an epoch (counted from 1) are done."""

    def loss(self, step: int, loss: float) -> None:
        """The mean loss since the last such call, up to a step of the run, counted from 1."""

    def epoch(self, progress: Progress) -> None:
        """An epoch is done and evaluated."""

    def note(self, text: str) -> None:
        """Show one sentence."""

    def end(self, outcome: TrainingResult) -> None:
        """The run came to an outcome."""

    def close(self) -> None:
        """Nothing follows; the terminal is left as it was found."""


class _Silent:
    """Shows nothing."""

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
    ) -> None: ...

    def stage(self, text: str) -> None: ...

    def tick(self) -> None: ...

    def step(self, epoch: int, share: float) -> None: ...

    def loss(self, step: int, loss: float) -> None: ...

    def epoch(self, progress: Progress) -> None: ...

    def note(self, text: str) -> None: ...

    def end(self, outcome: TrainingResult) -> None: ...

    def close(self) -> None: ...


SILENT: View = _Silent()


def project(curve: Sequence[CurvePoint], epochs: int) -> tuple[float | None, Estimate | None]:
    """Seconds and joules still to be spent, if the epochs to come cost what the last ten did.

    Args:
        curve: the points of this segment in order, their `duration_s` and `energy_j` cumulative.
        epochs: epochs of the whole run.

    Returns:
        None for what less than two points, or no joules, can tell. The first epoch is not looked
        at: it carries what is paid once. Joules that are still to be drawn are `estimated` at best.
    """
    recent = curve[-1 - _RECENT_EPOCHS :]
    if len(recent) < 2:
        return None, None
    first, last = recent[0], recent[-1]
    factor = max(epochs - last.epoch, 0) / (last.epoch - first.epoch)
    left_s = (last.duration_s - first.duration_s) * factor
    if first.energy_j is None or last.energy_j is None:
        return left_s, None
    return left_s, Estimate(
        point=(last.energy_j.point - first.energy_j.point) * factor,
        low=None,
        high=None,
        unit="J",
        confidence=None,
        basis=weakest((last.energy_j.basis, Basis.ESTIMATED)),
        source=f"joules of epochs {first.epoch + 1} to {last.epoch}, for those that are left",
    )
