"""A whole result of a training, for the tests of whoever reads one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from profiler.ledger import LedgerSummary, Segment
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.profile import CarbonFactors, Environment
from training.recipe import Recipe
from training.result import TrainingResult

JOULES = Estimate(
    point=100.0, low=98.0, high=102.0, unit="J", confidence=0.95, basis=Basis.MEASURED,
    source="NVML counter",
)  # fmt: skip


def segment(*devices: str, host: int = 0) -> Segment:
    """One that was finished, on devices whose joules nobody saw."""
    return Segment(
        number=0, host=host, started_utc="2026-01-01T00:00:00Z", ended="finished", duration_s=10.0,
        energy_j=JOULES, devices=dict.fromkeys(devices),
    )  # fmt: skip


def ledger_summary(**changes: Any) -> LedgerSummary:
    """A ledger without epochs, whose sums are what the changes say."""
    values: dict[str, Any] = {
        "entries": (), "segments": (), "epochs": (), "epochs_planned": 5, "energy_j": JOULES,
        "by_phase": {}, "by_epoch": {}, "duration_s": 10.0, "second_opinion_j": None,
        "energy_kwh": None, "carbon_g": None,
        "carbon": CarbonFactors(
            intensity_g_per_kwh=stated(400.0, "g/kWh", Basis.QUOTED, "a test"),
            pue=stated(1.0, "", Basis.ASSUMED, "a test"),
        ),
        "image_count": 6000, "images_per_joule": replace(JOULES, unit="image/J"),
        "joules_per_epoch": None, "repeated_j": None, "findings": (),
    }  # fmt: skip
    return LedgerSummary(**values | changes)


def training_result(recipe: Recipe, **changes: Any) -> TrainingResult:
    """A run that came to its end."""
    values: dict[str, Any] = {
        "folder": "somewhere", "recipe": recipe, "device": "cpu",
        "environment": Environment(device_name="a CPU", fingerprint="cpu-1"),
        "data": "digits", "parameter_count": 258_292, "test_accuracy": None,
        "validation_accuracy": None, "epochs_done": recipe.epochs, "stopped_by": "epochs",
        "best_epoch": None, "curve": (), "ledger": ledger_summary(), "findings": (),
    }  # fmt: skip
    return TrainingResult(**values | changes)
