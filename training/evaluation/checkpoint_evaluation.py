"""Accuracy of a checkpoint on a split of its data, and joules and images a second there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from torch import nn

from profiler.errors import CheckpointError, InputDataError, UsageError
from profiler.inputs.dataset import stack
from profiler.inputs.sources import open_source
from profiler.machine.device import Device, find_device
from profiler.machine.meters_in_use import meters_of_device
from profiler.meters import OpenedMeters, OpenMeter, close_meters, open_meters
from profiler.meters.clock import MonotonicClock
from profiler.recording.recording import record
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import Finding
from profiler.values.statistics import mean_interval
from profiler.workload.transformed import precision_of
from training.checkpoints.checkpoint import load_model
from training.checkpoints.foreign import is_foreign, load_foreign
from training.checkpoints.header import Info
from training.data.classes import as_known
from training.data.data_identity import check_same_data
from training.data.splits import MOST_PIXEL_BYTES, Pixels, described, load_splits
from training.data.stream import StreamedPixels

from .accuracy import CONFIDENCE
from .evaluation import Evaluation, count_correct, evaluate
from .forward import BATCH_SIZE, arithmetic

SplitName = Literal["train", "validation", "test"]
COST_SECONDS = 5.0


def evaluate_checkpoint(
    checkpoint: Path,
    *,
    data: str | None = None,
    split: SplitName = "test",
    device: str = "auto",
    dtype: str | None = None,
    batch_size: int = BATCH_SIZE,
    cost_seconds: float = COST_SECONDS,
    model: str | None = None,
    image_size: int | None = None,
    meters: Sequence[OpenMeter] | None = None,
    root: Path | None = None,
) -> Evaluation:
    """Evaluate a checkpoint on images prepared as those it was trained on, unaugmented.

    Args:
        checkpoint: of a trained model.
        data: as `--data` takes it, with labels; None for what it was trained on.
        split: "validation" is what its recipe held out of the training split.
        device: "cpu", "cuda", "cuda:N" or "auto".
        dtype: of the forward pass, under autocast; None for that of its training or transforms.
        batch_size: images of a call.
        cost_seconds: joules and images/s are measured for at least so long; 0 measures neither.
        model: reference that confirms the checkpoint's own, or names a variant of it.
        image_size: side of the images, where the checkpoint does not say it.
        meters: opened meters; by default those of the machine without GPUs that are not used.
        root: folder of downloaded data; None for the cache.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        InputDataError: the data is not there, has no labels or lacks the split.
        UsageError: the data has other classes than the model was trained for.
        MeasurementError: the model's outputs are not all finite.
    """
    place = find_device(device)
    network, info, noted = load_network(
        checkpoint, place, model=model, data=data, split=split, image_size=image_size, root=root
    )
    pixels, description = labelled_split(
        checkpoint, info, data or info.recipe.data, split, place, root
    )
    dtype = arithmetic(network, dtype, info.recipe.dtype)
    channels_last = info.recipe.channels_last
    found = evaluate(
        network, pixels, info.normalization, data=description, class_names=info.class_names,
        batch_size=batch_size, dtype=dtype, channels_last=channels_last,
    )  # fmt: skip
    found = replace(
        found, model=model or info.recipe.model, dtype=_precision(network, dtype),
        findings=(*place.findings, *noted),
    )  # fmt: skip
    if not cost_seconds:
        return found
    run = partial(
        count_correct, network, pixels, info.normalization, batch_size=batch_size, dtype=dtype,
        channels_last=channels_last,
    )  # fmt: skip
    return _with_cost(found, run, len(pixels), place, seconds=cost_seconds, meters=meters)


def _precision(network: nn.Module, dtype: str) -> str:
    """What the network computed in: under autocast, or by the transform that sets it."""
    setting = precision_of(network)
    return dtype if setting is None else setting.name


def load_network(
    checkpoint: Path,
    place: Device,
    *,
    model: str | None,
    data: str | None,
    split: SplitName,
    image_size: int | None,
    root: Path | None,
) -> tuple[nn.Module, Info, tuple[Finding, ...]]:
    """The network, what it expects, and how a file of another program was read."""
    if not is_foreign(checkpoint):
        return *load_model(checkpoint, place.name, model=model), ()
    if data is None:
        raise CheckpointError(
            f"'{checkpoint}' does not say what it was trained on", hint="name it: --data SOURCE"
        )
    return load_foreign(
        checkpoint, place.name, model=model, data=data, split=split, image_size=image_size,
        root=root,
    )  # fmt: skip


def labelled_split(
    checkpoint: Path,
    info: Info,
    spec: str,
    split: SplitName,
    place: Device,
    root: Path | None,
) -> tuple[Pixels, str]:
    """The split under the labels that the model's classes have, and what it is."""
    pixels, names, description = _load(info, spec, split, place, root)
    labels = as_known(
        pixels.labels, names, info.class_names, who=f"the model of '{checkpoint}'",
        whom=description, hint="evaluate it on data with the classes that it was trained for",
        refusal=UsageError,
    )  # fmt: skip
    return pixels.with_labels(labels), description


def _with_cost(
    found: Evaluation,
    run: Callable[[], object],
    image_count: int,
    place: Device,
    *,
    seconds: float,
    meters: Sequence[OpenMeter] | None,
) -> Evaluation:
    """The evaluation with images/s and joules of repeated passes, by the sensors of the device."""
    opened = open_meters() if meters is None else OpenedMeters(list(meters), ())
    try:
        sensors = meters_of_device(opened.meters, place)
        cost = measure_cost(run, image_count, seconds=seconds, meters=sensors)
    finally:
        if meters is None:
            close_meters(opened.meters)
    return replace(
        found,
        energy_per_image_j=cost.energy_per_image_j,
        images_per_s=cost.images_per_s,
        findings=tuple(dict.fromkeys((*found.findings, *opened.findings, *cost.findings))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one image costs, decoding left out.

    Args:
        energy_per_image_j: gross joules over all sensors given; None where none saw them.
        images_per_s: mean over the passes.
        findings: what to know before trusting the joules.
    """

    energy_per_image_j: Estimate | None
    images_per_s: Estimate
    findings: tuple[Finding, ...]


def measure_cost(
    run: Callable[[], object],
    image_count: int,
    *,
    seconds: float,
    meters: Sequence[OpenMeter],
) -> Cost:
    """Repeat a pass over a split under some sensors.

    Args:
        run: one pass, the device waited for at its end; it has been run before.
        image_count: of a pass.
        seconds: no pass begins after so long.
        meters: opened ones.
    """
    clock = MonotonicClock()
    passes_s: list[float] = []
    with record(meters) as recording, recording.window("evaluate"):
        end_s = clock.now_s() + seconds
        while not passes_s or clock.now_s() < end_s:
            begun_s = clock.now_s()
            run()
            passes_s.append(clock.now_s() - begun_s)
    seen = recording["evaluate"]
    energy_j = seen.energy_j
    return Cost(
        energy_per_image_j=None
        if energy_j is None
        else energy_j.scaled(1 / (image_count * len(passes_s)), "J"),
        images_per_s=_rate([image_count / pass_s for pass_s in passes_s], image_count),
        findings=seen.findings,
    )


def _rate(images_per_s: Sequence[float], image_count: int) -> Estimate:
    mean, low, high = mean_interval(images_per_s)
    has_interval = math.isfinite(high)
    return Estimate(
        point=mean,
        low=max(0.0, low) if has_interval else None,
        high=high if has_interval else None,
        unit="image/s",
        confidence=CONFIDENCE if has_interval else None,
        basis=Basis.MEASURED,
        source=f"monotonic clock, passes over {image_count:,} images on the device: "
        f"{len(images_per_s)}",
    )


def _load(
    info: Info, spec: str, split: SplitName, device: Device, root: Path | None
) -> tuple[Pixels, tuple[str, ...] | None, str]:
    """The split at the checkpoint's image size, the names of its classes, and what it is."""
    if split == "validation":
        splits = load_splits(replace(info.recipe, data=spec), device.name, root=root)
        if spec == info.recipe.data:  # what was held out must not have been learnt from
            check_same_data(
                info.class_names, info.data, splits.class_names, splits.identity, spec=spec,
                is_moved=False,
            )  # fmt: skip
        if splits.validation is None:
            raise InputDataError(
                "the recipe of this checkpoint held no validation split out",
                hint="evaluate it on --split test or train",
            )
        return splits.validation, splits.class_names, f"{splits.description}: those to choose by"
    source = open_source(spec, split=split, root=root, label_column=info.recipe.label_column)
    labels = source.labels()
    if labels is None:
        raise InputDataError(
            f"the images of '{spec}' have no labels to compare with",
            hint="put them into one subfolder a class, or use `predict`",
        )
    _, height, width = info.input_shape
    on_device = labels.to(device.name)
    if 3 * height * width * len(labels) > MOST_PIXEL_BYTES:
        return (
            StreamedPixels(source, on_device, (height, width)),
            source.class_names,
            described(source, info.recipe),
        )
    images = stack(source.images(range(len(source)), (height, width)), (height, width))
    pixels = Pixels(images.to(device.name), on_device)
    return pixels, source.class_names, described(source, info.recipe)
