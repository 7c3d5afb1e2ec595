"""The `co2_eq_emissions` entry of a model card on the Hugging Face Hub.

Keys as in https://huggingface.co/docs/hub/model-cards-co2; what is not known is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from profiler.version import __version__

from .estimate import Estimate
from .profile import CarbonFactors
from .quantities import JOULES_PER_KWH, grams

TRAINING_TYPES = ("pre-training", "fine-tuning")

Entry = Mapping[str, float | str]


def card_entry(
    energy_j: Estimate,
    factors: CarbonFactors,
    *,
    training_type: str | None = None,
    location: str | None = None,
    hardware: str | None = None,
) -> Entry:
    """The entry: `emissions` in grams of CO2 equivalent, and where it comes from.

    Args:
        energy_j: joules of the whole job, PUE not applied.
        factors: carbon intensity and PUE.
        training_type: one of `TRAINING_TYPES`.
        location: where the electricity came from.
        hardware: what it ran on.
    """
    emitted = grams(energy_j.scaled(1 / JOULES_PER_KWH, "kWh"), factors)
    entry: dict[str, float | str | None] = {
        "emissions": emitted.point,
        "source": _source(energy_j, emitted, factors),
        "training_type": training_type,
        "geographical_location": location,
        "hardware_used": hardware,
    }
    return {key: value for key, value in entry.items() if value not in (None, "")}


def card_yaml(entry: Entry) -> str:
    """The entry as YAML, for the head of a README.md."""
    # A JSON text is a YAML text too: nothing in it can end its line or its quotes.
    lines = [f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "\n".join(["co2_eq_emissions:", *lines]) + "\n"


def _source(energy_j: Estimate, emitted: Estimate, factors: CarbonFactors) -> str:
    intensity, pue = factors.intensity_g_per_kwh, factors.pue
    interval = ""
    if emitted.low is not None and emitted.high is not None:
        interval = f", 95 % interval {emitted.low:.3g} to {emitted.high:.3g} g"
    return (
        f"wattprof {__version__}: {energy_j.point:.4g} J ({energy_j.basis}: {energy_j.source}) "
        f"x PUE {pue.point:g} ({pue.basis}) x {intensity.point:g} g/kWh "
        f"({intensity.basis}: {intensity.source.partition(';')[0]}){interval}"
    )
