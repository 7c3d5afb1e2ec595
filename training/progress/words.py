"""Texts for the numbers of a run, which all views share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from profiler.values.estimate import Basis, Estimate
from profiler.values.plain_text import clean
from profiler.values.units import show, show_duration, show_number, show_point

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.result import CurvePoint

_SPEAKS_FOR_ITSELF = (Basis.COUNTED, Basis.MEASURED)


def with_basis(estimate: Estimate, unit: str = "") -> str:
    """A value without its interval, and its basis where nobody measured it: "1.2 kJ (assumed)".

    Args:
        estimate: the number.
        unit: what stands behind its unit: "CO2e".
    """
    text = " ".join(filter(None, (show_point(estimate), unit)))
    return text if estimate.basis in _SPEAKS_FOR_ITSELF else f"{text} ({estimate.basis})"


def percent(share: float) -> str:
    """A share of right answers as percent: "91.2 %"."""
    return show_number(100 * share, "%")


def as_percent(accuracy: Estimate | None) -> str:
    """An accuracy with its interval: "91.2 ± 0.6 %"."""
    return show(None if accuracy is None else accuracy.scaled(100, "%"))


def ending(name: str, most: int) -> str:
    """A name that can be printed, of a long one the end, which tells names apart."""
    text = clean(name)
    return text if len(text) <= most else f"...{text[3 - most :]}"


def title(recipe: Recipe, description: str) -> str:
    """What is trained, on what, in one line."""
    return clean(f"{Path(recipe.model).name} on {description}")


def epochs(count: int) -> str:
    """A number of epochs in words: "1 epoch", "10 epochs"."""
    return f"{count} epoch" if count == 1 else f"{count} epochs"


def epoch_facts(point: CurvePoint) -> list[str]:
    """What an epoch taught the model, and how fast."""
    facts = [f"loss {show_number(point.loss, '')}"]
    if point.validation_accuracy is not None:
        facts.append(f"accuracy {percent(point.validation_accuracy)} (validation)")
    elif point.train_accuracy is not None:
        facts.append(f"accuracy {percent(point.train_accuracy)} (train)")
    if point.images_per_s is not None:
        facts.append(f"{show_number(point.images_per_s, '')} images/s")
    return facts


def cost_facts(
    power_w: Estimate | None, energy_j: Estimate | None, carbon_g: Estimate | None
) -> list[str]:
    """What the run draws, has drawn, and has put into the air."""
    facts = []
    if power_w is not None:
        facts.append(with_basis(power_w))
    facts.append("joules not seen" if energy_j is None else f"{with_basis(energy_j)} so far")
    if carbon_g is not None:
        facts.append(with_basis(carbon_g, "CO2e"))
    return facts


def left_facts(left_s: float | None, left_j: Estimate | None) -> list[str]:
    """What is still to come, if it goes on like this."""
    if not left_s:
        return []
    left = [show_duration(left_s)]
    if left_j is not None:
        left.append(with_basis(left_j))
    return [f"{' and '.join(left)} left"]
