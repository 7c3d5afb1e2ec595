"""A run as its views see it, without a run."""

from __future__ import annotations

from pathlib import Path

from profiler.values.estimate import Basis, Estimate
from training.progress.view import Progress, View
from training.recipe import Recipe
from training.result import CurvePoint

RECIPE = Recipe(model="lightweight", data="digits", epochs=4)
FOLDER = Path("trainings/one")


def estimate(value: float, unit: str, basis: Basis = Basis.MEASURED) -> Estimate:
    return Estimate(
        point=value, low=0.98 * value, high=1.02 * value, unit=unit, confidence=0.95,
        basis=basis, source="test",
    )  # fmt: skip


def point(epoch: int, *, epoch_s: float = 2.0, epoch_j: float | None = 100.0) -> CurvePoint:
    """An epoch of a run in which all of them cost the same."""
    return CurvePoint(
        epoch=epoch,
        loss=1 / epoch,
        train_accuracy=0.8,
        validation_accuracy=0.912,
        learning_rate=0.1,
        energy_j=None if epoch_j is None else estimate(epoch * epoch_j, "J"),
        duration_s=epoch * epoch_s,
        images_per_s=3610.0,
    )


def progress(epoch: int, basis: Basis = Basis.MEASURED) -> Progress:
    return Progress(
        point=point(epoch),
        power_w=estimate(50.0, "W", basis),
        carbon_g=estimate(0.01 * epoch, "g", Basis.QUOTED),
        left_s=2.0 * (RECIPE.epochs - epoch),
        left_j=estimate(100.0 * (RECIPE.epochs - epoch + 1e-9), "J", Basis.ESTIMATED),
    )


class StandingGauge:
    """Shows the same at any moment."""

    joules_so_far = estimate(250.0, "J", Basis.ASSUMED)
    power_w = estimate(40.0, "W", Basis.ESTIMATED)


def show_run(view: View, *, model: str = "lightweight", epochs: int = 2) -> None:
    """What the loop tells a view, from the beginning to the end."""
    recipe = Recipe(model=model, data="digits", epochs=RECIPE.epochs)
    view.begin(recipe, folder=FOLDER, description="digits, cpu", gauge=StandingGauge())
    view.stage("decoding")
    view.tick()
    for epoch in range(1, epochs + 1):
        view.step(epoch, 0.5)
        view.epoch(progress(epoch))
    view.note("a sensor was lost")
    view.close()
