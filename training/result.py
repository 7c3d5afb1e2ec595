"""TrainingResult: what a training run came to, and the curve that led there. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.files import write_whole_file
from profiler.ledger import LedgerSummary
from profiler.values.codec import FormError, check_version, decode, encode, parse
from profiler.values.codecarbon import CodeCarbonOpinion
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.plain_text import clean
from profiler.values.profile import Environment

from .recipe import Recipe
from .run_folder import RESULT

SCHEMA_VERSION = 1

STOPPED_BY_EPOCHS = "epochs"
STOPPED_BY_TARGET = "target"
STOPPED_BY_INTERRUPTION = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One finished epoch.

    Args:
        epoch: 1 for the first.
        loss: mean over the training images, as they were augmented and with smoothed labels.
        train_accuracy: share of right answers on the augmented training images, each seen with
            the weights of its moment; None where nothing was counted.
        validation_accuracy: of the evaluated (averaged) weights; None without a validation split.
        learning_rate: of the epoch's last step.
        energy_j: joules since the first segment's start, everything included; None without sensor.
        duration_s: seconds since the first segment's start, gaps between segments left out.
        images_per_s: training images over the seconds of the epoch's steps.
    """

    epoch: int
    loss: float
    train_accuracy: float | None
    validation_accuracy: float | None
    learning_rate: float
    energy_j: Estimate | None
    duration_s: float
    images_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """What the images of each class were taken for.

    Args:
        class_names: by label.
        cells: (label, first guess, images), by label and guess; a pair that is not there has none.
    """

    class_names: tuple[str, ...]
    cells: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """A whole run, all segments of it.

    Args:
        folder: where its files are.
        recipe: what was computed.
        device: as torch names it: "cpu", "cuda:0".
        environment: the machine of the last segment.
        data: what the splits are, in words, with their counts.
        parameter_count: of the model.
        test_accuracy: top-1 of the best weights, read once, at the end; None for a source without
            test split and for an interrupted run.
        confusion: of the same answers, class by class; None likewise, and in earlier versions.
        validation_accuracy: top-1 of the best weights; it was chosen by this number, so that it
            flatters. None without a validation split.
        epochs_done: finished epochs, earlier segments included.
        stopped_by: "epochs", "target" or "interrupted".
        best_epoch: whose weights are in best.safetensors; None before the first one ended.
        curve: one point an epoch.
        ledger: where the joules went.
        codecarbon: what CodeCarbon's own tracker says of the last segment on the first host; None
            where it did not run or gave no answer.
        findings: what to know before trusting a number.
    """

    folder: str
    recipe: Recipe
    device: str
    environment: Environment
    data: str
    parameter_count: int
    test_accuracy: Estimate | None
    validation_accuracy: Estimate | None
    epochs_done: int
    stopped_by: str
    best_epoch: int | None
    curve: tuple[CurvePoint, ...]
    ledger: LedgerSummary
    codecarbon: CodeCarbonOpinion | None = None
    confusion: Confusion | None = None
    findings: tuple[Finding, ...] = ()


def result_document(outcome: TrainingResult) -> dict[str, Any]:
    """The outcome as one JSON object."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **encode(outcome)}
    return document


def write_result(outcome: TrainingResult, folder: Path) -> None:
    """Write result.json, with the bare name of its folder: it may be moved, or published."""
    document = result_document(replace(outcome, folder=folder.name))
    text = json.dumps(document, indent=1, allow_nan=False)
    write_whole_file(folder / RESULT, text + "\n")


def read_result(folder: Path) -> TrainingResult | None:
    """What the run in a folder came to, interrupted ones included; None where no result is stored.

    Raises:
        StoreError: it cannot be read, or is not of this form.
    """
    path = folder / RESULT
    try:
        document = parse(path.read_bytes())
        check_version(document, SCHEMA_VERSION)
        return replace(decode(document, TrainingResult), folder=folder.name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (FormError, OSError) as error:
        raise StoreError(
            f"'{clean(str(path))}' cannot be read: {clean(str(error))}",
            hint="leave that run out, or delete its folder and train it again",
        ) from error
