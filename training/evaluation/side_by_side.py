"""Several checkpoints on the same images: right answers image by image, and joules in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from numpy import packbits

from profiler.comparison.verdicts import Comparison, compare
from profiler.errors import UsageError
from profiler.machine.device import find_device
from profiler.measurement.conduct import Conditions
from profiler.measurement.model import measure_here
from profiler.measurement.request import Request
from profiler.values.profile import Profile, Workload

from .accuracy import top1_accuracy
from .answers import first_guesses
from .checkpoint_evaluation import SplitName, labelled_split, load_network
from .confusion import ClassAccuracy, by_class, confusion_of
from .evaluation import top1_source
from .forward import Pass, arithmetic, normalized

if TYPE_CHECKING:
    from profiler.measurement.protocol import Progress

FP32 = "fp32"
BATCH_SIZE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A checkpoint to compare.

    Args:
        label: what it is called in the comparison.
        checkpoint: its file.
        model: reference of a variant of it; None for what was trained.
    """

    label: str
    checkpoint: Path
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestantResult:
    """What a checkpoint came to.

    Args:
        label: as it was asked for.
        profile: latency and joules of a call, measured in turns with the others, with the accuracy
            on the split and which of its images were answered rightly.
        per_class: by label.
    """

    label: str
    profile: Profile
    per_class: tuple[ClassAccuracy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """Checkpoints beside each other.

    Args:
        data: the images.
        results: one a checkpoint, in the order asked for.
        comparisons: each but the first against the first.
    """

    data: str
    results: tuple[ContestantResult, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One checkpoint evaluated, and how it is to be measured."""

    request: Request
    right: torch.Tensor
    per_class: tuple[ClassAccuracy, ...]
    data: str


def compare_checkpoints(
    contestants: Sequence[Contestant],
    *,
    data: str | None = None,
    split: SplitName = "test",
    device: str = "auto",
    batch_size: int = BATCH_SIZE,
    max_seconds: float = 30.0,
    progress: Progress | None = None,
) -> SideBySide:
    """Evaluate all on the same images in fp32, then measure them in turns on the first of these.

    Args:
        contestants: at least two; the others are put against the first.
        data: as `--data` takes it, with labels; None for what the first was trained on.
        split: of the data.
        device: "cpu", "cuda", "cuda:N" or "auto".
        batch_size: images of a measured call.
        max_seconds: budget of the measurement, for all together.
        progress: told the stage of the measurement and the share that is done.

    Raises:
        UsageError: there are fewer than two, or the data has other classes than one was trained
            for.
        CheckpointError: a checkpoint cannot be used.
        InputDataError: the data is not there, has no labels or lacks the split.
        MeasurementError: a model's outputs are not all finite, or it cannot be measured.
    """
    if len(contestants) < 2:
        raise UsageError("there is nothing to compare", hint="name at least two checkpoints")
    judged: list[_Judged] = []
    for contestant in contestants:
        one, data = _judge(contestant, data, split, device, batch_size)
        judged.append(one)
    profiles = measure_here(
        [one.request for one in judged], Conditions(max_seconds=max_seconds, progress=progress)
    )
    results = tuple(
        ContestantResult(
            label=contestant.label, profile=_with_answers(profile, one), per_class=one.per_class
        )
        for contestant, profile, one in zip(contestants, profiles, judged, strict=True)
    )
    first, *others = results
    return SideBySide(
        data=judged[0].data,
        results=results,
        comparisons=tuple(compare(first.profile, other.profile) for other in others),
    )


def _judge(
    contestant: Contestant, data: str | None, split: SplitName, device: str, batch_size: int
) -> tuple[_Judged, str]:
    """One checkpoint on the split, and the source of the images, for the others."""
    place, file = find_device(device), contestant.checkpoint
    network, info, _ = load_network(
        file, place, model=contestant.model, data=data, split=split, image_size=None, root=None
    )
    data = data or info.recipe.data
    pixels, description = labelled_split(file, info, data, split, place, None)
    channels_last = info.recipe.channels_last
    run = Pass(
        normalization=info.normalization,
        dtype=arithmetic(network, None, FP32),
        channels_last=channels_last,
    )
    guesses = first_guesses(network, pixels, run)
    numbers = torch.arange(min(batch_size, len(pixels)), device=pixels.labels.device)
    (images,) = pixels.fetch([numbers])
    request = Request(
        model=network,
        inputs=normalized(images, info.normalization),
        name=contestant.label,
        device=place.name,
        channels_last=channels_last,
        workload=Workload(
            model=contestant.model or info.recipe.model,
            device=place.name,
            data=description,
            checkpoint=file.name,
            class_count=info.class_count,
        ),
    )
    confusion = confusion_of(pixels.labels, guesses, info.class_names)
    judged = _Judged(
        request=request, right=guesses == pixels.labels, per_class=by_class(confusion, description),
        data=description,
    )  # fmt: skip
    return judged, data


def _with_answers(profile: Profile, judged: _Judged) -> Profile:
    correct, count = int(judged.right.sum()), len(judged.right)
    return replace(
        profile,
        accuracy=top1_accuracy(correct, count, top1_source(correct, count, judged.data)),
        accuracy_data=judged.data,
        right_answers=packbits(judged.right.cpu().numpy()).tobytes().hex(),
    )
