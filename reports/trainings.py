"""Finished training runs, read from their folders, and those that differ in their seed alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.errors import StoreError
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.findings import Finding
from profiler.values.plain_text import clean
from profiler.values.profile import Environment
from training.experiments.seeds import FinishedRun, ModelResult, finished_run, summarize
from training.recipe import Recipe
from training.result import read_result
from training.run_folder import RESULT

from .data_error import ReportDataError

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
VALIDATION_SPLIT = "the validation split"
TRAINING_SPLIT = "the augmented training images, while they were being learnt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One finished run.

    Args:
        run: what it came to.
        recipe: what was computed.
        data: what its splits are, with their counts.
        device: as torch names it: "cpu", "cuda:0".
        environment: the machine.
        gpu_count: GPUs in its ledger, over all hosts.
        curve: (joules until then, accuracy then) after each epoch whose joules are known.
        curve_of: the split of these accuracies.
    """

    run: FinishedRun
    recipe: Recipe
    data: str
    device: str
    environment: Environment
    gpu_count: int = 0
    curve: tuple[tuple[Estimate, float], ...] = ()
    curve_of: str = TRAINING_SPLIT

    @property
    def duration_s(self) -> Estimate:
        """Seconds of the run, gaps between its segments left out."""
        return stated(self.run.duration_s, "s", Basis.MEASURED, "monotonic clock")

    @property
    def place(self) -> str:
        """What it ran on: "NVIDIA H100 (cuda:0)", "8 x NVIDIA H100"."""
        name = self.environment.device_name
        return f"{self.gpu_count} x {name}" if self.gpu_count > 1 else f"{name} ({self.device})"

    @property
    def terms(self) -> tuple[object, ...]:
        """What runs share that differ in their seed alone."""
        recipe = replace(self.recipe, seed=0)
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
        return dataset_of(self.runs[0].recipe.data)

    @property
    def epochs(self) -> int | None:
        """Epochs of each run; None where they differ, or a target stopped one."""
        done = {training.run.epochs_done for training in self.runs}
        by_target = any(training.run.stopped_by != "epochs" for training in self.runs)
        return None if by_target or len(done) > 1 else done.pop()

    @property
    def is_distilled(self) -> bool:
        """Whether a teacher took part."""
        return self.runs[0].recipe.teacher is not None

    @property
    def is_resized(self) -> bool:
        """Whether the images were brought to another size than they are stored in."""
        return self.runs[0].recipe.image_size is not None

    @property
    def setting(self) -> str:
        """What was run, in short: "100 epochs, 3 seeds, bf16, NVIDIA H100 (cuda:0)"."""
        first, count = self.runs[0], len(self.runs)
        epochs = " to ".join(f"{done:,}" for done in self.result.epochs_done)
        seeds = "1 seed" if count == 1 else f"{count} seeds"
        many = "" if epochs == "1" else "s"
        return f"{epochs} epoch{many}, {seeds}, {first.recipe.dtype}, {first.place}"

    def terms_beside(self) -> tuple[object, ...]:
        """What two models must share for their ratio to be one of models alone."""
        first = self.runs[0]
        recipe = replace(first.recipe, seed=0, model="")
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
    folders = {}
    for path in paths:
        found = sorted(path.rglob(RESULT)) if path.is_dir() else []
        if not found:
            raise StoreError(
                f"there is no finished training in '{clean(str(path))}'",
                hint=f"name a folder that `python -m training` wrote: it holds {RESULT}",
            )
        folders.update({file.resolve(): file.parent for file in found})
    trainings = [training for training in map(read_training, folders.values()) if training]
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
    model = runs[0].recipe.model
    return TrainedModel(runs=runs, result=summarize(model, [each.run for each in runs]))


def read_training(folder: Path) -> Training | None:
    """The run in a folder; None for one that was interrupted.

    Raises:
        StoreError: its result cannot be read.
    """
    result = read_result(folder)
    run = None if result is None else finished_run(result)
    if result is None or run is None:
        return None
    validated = any(point.validation_accuracy is not None for point in result.curve)
    gpus = {
        (segment.host, device)
        for segment in result.ledger.segments
        for device in segment.devices
        if device.startswith("gpu")
    }
    return Training(
        run=run,
        recipe=result.recipe,
        data=result.data,
        device=result.device,
        environment=result.environment,
        gpu_count=len(gpus),
        curve=tuple(
            (point.energy_j, accuracy)
            for point in result.curve
            if point.energy_j is not None
            and math.isfinite(point.energy_j.point)
            and (accuracy := point.validation_accuracy if validated else point.train_accuracy)
            is not None
        ),
        curve_of=VALIDATION_SPLIT if validated else TRAINING_SPLIT,
    )


def findings_of(models: Iterable[TrainedModel]) -> tuple[Finding, ...]:
    """Each distinct one once."""
    every = (f for model in models for training in model.runs for f in training.run.findings)
    return tuple(dict.fromkeys(every))
