"""Means over trainings that differ in their seed alone. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from profiler.values.estimate import Basis, Estimate, stated, weakest
from profiler.values.findings import Finding
from profiler.values.statistics import student_half_width
from training.evaluation.accuracy import accuracy_over_seeds
from training.result import STOPPED_BY_EPOCHS, STOPPED_BY_TARGET, TrainingResult

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """What one training came to; see `TrainingResult` and `LedgerSummary`."""

    folder: str
    model: str
    seed: int
    stopped_by: str
    epochs_done: int
    accuracy: Estimate | None
    energy_j: Estimate | None
    images_per_joule: Estimate | None
    duration_s: float
    device_name: str
    findings: tuple[Finding, ...] = ()


def finished_run(result: TrainingResult) -> FinishedRun | None:
    """What a stored result came to; None for a run that was interrupted."""
    if result.stopped_by not in (STOPPED_BY_EPOCHS, STOPPED_BY_TARGET):
        return None
    ledger = result.ledger
    return FinishedRun(
        folder=result.folder,
        model=result.recipe.model,
        seed=result.recipe.seed,
        stopped_by=result.stopped_by,
        epochs_done=result.epochs_done,
        accuracy=result.test_accuracy,
        energy_j=ledger.energy_j,
        images_per_joule=ledger.images_per_joule,
        duration_s=ledger.duration_s,
        device_name=result.environment.device_name,
        findings=(*result.findings, *ledger.findings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A training that ended by an error.

    Args:
        folder: name of its folder.
        model: its reference.
        seed: of its recipe.
        error: in one sentence.
        hint: what to do about it; "" for nothing in particular.
    """

    folder: str
    model: str
    seed: int
    error: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """What the runs of one model have in common.

    Args:
        model: its reference.
        run_count: finished runs, one a seed.
        epochs_done: fewest and most epochs of a run; they differ where a target stops runs.
        accuracy: mean top-1 on the test split with Student's t interval over seeds; None without
            test split.
        energy_j: joules of a run: mean, with the interval of that mean.
        images_per_joule: mean over runs, likewise.
        duration_s: seconds of a run, likewise.
    """

    model: str
    run_count: int
    epochs_done: tuple[int, ...]
    accuracy: Estimate | None
    energy_j: Estimate | None
    images_per_joule: Estimate | None
    duration_s: Estimate | None


def summarize(model: str, runs: Sequence[FinishedRun]) -> ModelResult:
    """Bring the runs of one model together; they differ in their seed alone."""
    accuracies = [run.accuracy.point for run in runs if run.accuracy is not None]
    epochs = [run.epochs_done for run in runs]
    seeds = f"{len(runs)} seed{'s' if len(runs) != 1 else ''}"
    has_accuracy = bool(runs) and len(accuracies) == len(runs)
    return ModelResult(
        model=model,
        run_count=len(runs),
        epochs_done=tuple(sorted({min(epochs), max(epochs)})) if epochs else (),
        accuracy=accuracy_over_seeds(accuracies, _accuracy_source(runs, seeds))
        if has_accuracy
        else None,
        energy_j=mean_over_runs([run.energy_j for run in runs]),
        images_per_joule=mean_over_runs([run.images_per_joule for run in runs]),
        duration_s=mean_over_runs(
            [stated(run.duration_s, "s", Basis.MEASURED, "monotonic clock") for run in runs]
        ),
    )


def mean_over_runs(values: Sequence[Estimate | None]) -> Estimate | None:
    """Mean of one number over runs; None where one of them was not seen.

    The interval joins Student's t over the runs with what the sensor leaves open about each run,
    taken as common to all of them, since averaging need not make that smaller.
    """
    seen = [value for value in values if value is not None]
    if not seen or len(seen) < len(values):
        return None
    if len(seen) == 1:
        return seen[0]
    count = len(seen)
    mean = math.fsum(value.point for value in seen) / count
    spread = student_half_width([value.point for value in seen], CONFIDENCE) or 0.0
    sensor = math.fsum(value.half_width or 0.0 for value in seen) / count
    half = math.hypot(spread, sensor)
    systematics = [value.systematic for value in seen if value.systematic is not None]
    return Estimate(
        point=mean,
        low=max(0.0, mean - half),
        high=mean + half,
        unit=seen[0].unit,
        confidence=CONFIDENCE,
        basis=weakest(value.basis for value in seen),
        source=f"{seen[0].source}; mean of {count} runs",
        systematic=max(systematics) if systematics else None,
        estimated_share=max(value.estimated_share for value in seen),
    )


def _accuracy_source(runs: Sequence[FinishedRun], seeds: str) -> str:
    sources = {run.accuracy.source for run in runs if run.accuracy is not None}
    return f"{'; '.join(sorted(sources))}; mean of {seeds}"
