"""Finished training runs, read from their folders, and those that differ in their seed alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.values.codec import FormError, decode
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.plain_text import clean
from profiler.values.profile import Environment
from training.experiments.seeds import FinishedRun, ModelResult, summarize
from training.result import CurvePoint

from .data_error import ReportDataError

RESULT = "result.json"
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
FINISHED = ("epochs", "target")
SCHEMA_VERSION = 1
VALIDATION_SPLIT = "the validation split"
TRAINING_SPLIT = "the augmented training images, while they were being learnt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One finished run.

    Args:
        run: what it came to.
        recipe: every field of it, by name.
        data: what its splits are, with their counts.
        device: as torch names it: "cpu", "cuda:0".
        environment: the machine.
        gpu_count: GPUs in its ledger, over all hosts.
        curve: (joules until then, accuracy then) after each epoch whose joules are known.
        curve_of: the split of these accuracies.
    """

    run: FinishedRun
    recipe: Mapping[str, Any]
    data: str
    device: str
    environment: Environment
    gpu_count: int = 0
    curve: tuple[tuple[Estimate, float], ...] = ()
    curve_of: str = TRAINING_SPLIT

    @property
    def place(self) -> str:
        """What it ran on: "NVIDIA H100 (cuda:0)", "8 x NVIDIA H100"."""
        name = self.environment.device_name
        return f"{self.gpu_count} x {name}" if self.gpu_count > 1 else f"{name} ({self.device})"

    @property
    def terms(self) -> tuple[object, ...]:
        """What runs share that differ in their seed alone."""
        rest = {name: value for name, value in self.recipe.items() if name != "seed"}
        recipe = json.dumps(rest, sort_keys=True)
        return recipe, self.data, self.place, self.environment.fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """All runs of one recipe on one machine.

    Args:
        runs: one a seed.
        result: what they have in common.
    """

    runs: tuple[Training, ...]
    result: ModelResult

    @property
    def model(self) -> str:
        """Its reference."""
        return self.result.model

    @property
    def dataset(self) -> str | None:
        """The published data set it was trained on; None for any other images.

        A file or folder of images is none, whatever its name: it may hold a data set in another
        form, on which other accuracies are reached.
        """
        return dataset_of(str(self.runs[0].recipe.get("data")))

    @property
    def epochs(self) -> int | None:
        """Epochs of each run; None where they differ, or a target stopped one."""
        done = {training.run.epochs_done for training in self.runs}
        by_target = any(training.run.stopped_by != "epochs" for training in self.runs)
        return None if by_target or len(done) > 1 else done.pop()

    @property
    def is_distilled(self) -> bool:
        """Whether a teacher took part."""
        return self.runs[0].recipe.get("teacher") is not None

    @property
    def is_resized(self) -> bool:
        """Whether the images were brought to another size than they are stored in."""
        return self.runs[0].recipe.get("image_size") is not None

    @property
    def setting(self) -> str:
        """What was run, in short: "100 epochs, 3 seeds, bf16, NVIDIA H100 (cuda:0)"."""
        first, count = self.runs[0], len(self.runs)
        epochs = " to ".join(f"{done:,}" for done in self.result.epochs_done)
        seeds = "1 seed" if count == 1 else f"{count} seeds"
        return f"{epochs} epochs, {seeds}, {first.recipe.get('dtype')}, {first.place}"

    def terms_beside(self) -> tuple[object, ...]:
        """What two models must share for their ratio to be one of models alone."""
        first = self.runs[0]
        rest = {k: v for k, v in first.recipe.items() if k not in ("seed", "model")}
        recipe = json.dumps(rest, sort_keys=True)
        return recipe, first.data, first.place, first.environment.fingerprint


def dataset_of(data: str) -> str | None:
    """The published data set that a source, or its description, begins with the name of."""
    return DATASETS.get(data.partition(":")[0])


def load_trainings(paths: Sequence[Path]) -> tuple[TrainedModel, ...]:
    """The finished runs below some folders, brought together by recipe and machine.

    Args:
        paths: folders of runs, of experiments, or folders that hold such.

    Raises:
        StoreError: a path holds no finished run, or a result cannot be read.
        ReportDataError: two runs differ in nothing, not even their seed: they would count as two.
    """
    files = {}
    for path in paths:
        found = sorted(path.rglob(RESULT)) if path.is_dir() else []
        if not found:
            raise StoreError(
                f"there is no finished training in '{clean(str(path))}'",
                hint=f"name a folder that `python -m training` wrote: it holds {RESULT}",
            )
        files.update({file.resolve(): file for file in found})
    trainings = [training for training in map(read_training, files.values()) if training]
    groups: dict[tuple[object, ...], list[Training]] = {}
    for training in trainings:
        groups.setdefault(training.terms, []).append(training)
    return tuple(_together(group) for group in groups.values())


def _together(trainings: Sequence[Training]) -> TrainedModel:
    by_seed: dict[int, Training] = {}
    for training in trainings:
        other = by_seed.setdefault(training.run.seed, training)
        if other is not training:
            raise ReportDataError(
                f"'{other.run.folder}' and '{training.run.folder}' are the same recipe with the "
                f"same seed {training.run.seed}",
                hint="name one of them: as two seeds they would narrow the interval",
            )
    runs = tuple(by_seed[seed] for seed in sorted(by_seed))
    model = str(runs[0].recipe.get("model"))
    return TrainedModel(runs=runs, result=summarize(model, [each.run for each in runs]))


def read_training(file: Path) -> Training | None:
    """One result.json; None for a run that was interrupted.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        version = _field(document, "schema_version", int)
        if version > SCHEMA_VERSION:
            raise FormError(f"its schema version is {version}, newer than {SCHEMA_VERSION}")
        stopped_by = _field(document, "stopped_by", str)
        return _training(document, file) if stopped_by in FINISHED else None
    # A deep nest exhausts the parser's stack; bytes that are no text are a ValueError.
    except (FormError, OSError, ValueError, RecursionError) as error:
        raise StoreError(
            f"'{clean(str(file))}' cannot be read: {clean(str(error))}",
            hint="leave that run out, or train it again",
        ) from error


def _training(document: Mapping[str, Any], file: Path) -> Training:
    recipe = _field(document, "recipe", Mapping[str, Any])
    ledger = _field(document, "ledger", Mapping[str, Any])
    environment = _field(document, "environment", Environment)
    points = decode(document.get("curve", []), tuple[CurvePoint, ...], "curve")
    validated = any(point.validation_accuracy is not None for point in points)
    run = FinishedRun(
        folder=file.parent.name,
        model=_field(recipe, "model", str),
        seed=_field(recipe, "seed", int),
        stopped_by=_field(document, "stopped_by", str),
        epochs_done=_field(document, "epochs_done", int),
        accuracy=_field(document, "test_accuracy", Estimate | None),
        energy_j=_field(ledger, "energy_j", Estimate | None),
        images_per_joule=_field(ledger, "images_per_joule", Estimate | None),
        duration_s=_field(ledger, "duration_s", float),
        device_name=environment.device_name,
        findings=_field(document, "findings", tuple[Finding, ...])
        + _field(ledger, "findings", tuple[Finding, ...]),
    )
    return Training(
        run=run,
        recipe=recipe,
        data=_field(document, "data", str),
        device=_field(document, "device", str),
        environment=environment,
        gpu_count=_gpu_count(ledger),
        curve=tuple(
            (point.energy_j, accuracy)
            for point in points
            if point.energy_j is not None
            and math.isfinite(point.energy_j.point)
            and (accuracy := point.validation_accuracy if validated else point.train_accuracy)
            is not None
        ),
        curve_of=VALIDATION_SPLIT if validated else TRAINING_SPLIT,
    )


def _gpu_count(ledger: Mapping[str, Any]) -> int:
    segments = ledger.get("segments")
    gpus = {
        (segment.get("host"), device)
        for segment in (segments if isinstance(segments, list) else [])
        if isinstance(segment, dict) and isinstance(segment.get("devices"), dict)
        for device in segment["devices"]
        if device.startswith("gpu")
    }
    return len(gpus)


def _field(document: Any, name: str, kind: Any) -> Any:
    if not isinstance(document, Mapping):
        raise FormError(f"what holds {name} is no object")
    if kind == Mapping[str, Any]:
        if not isinstance(document.get(name), dict):
            raise FormError(f"{name} is not an object")
        return document[name]
    return decode(document.get(name), kind, name)


def findings_of(models: Iterable[TrainedModel]) -> tuple[Finding, ...]:
    """Each distinct one once."""
    every = (f for model in models for training in model.runs for f in training.run.findings)
    return tuple(dict.fromkeys(every))
