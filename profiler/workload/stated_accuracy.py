"""What a trained checkpoint states: its model, and an accuracy for profiles that it holds for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.values.codec import FormError, decode, parse
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import accuracy_not_taken
from profiler.values.profile import Profile

KEY = "wattprof"
LONGEST_TEXT = 300
PRECISION = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedAccuracy:
    """What the run that wrote a checkpoint found out about it on its test split.

    Args:
        model: reference of the model that was trained.
        input_shape: (3, height, width) of its images.
        data: what the test split is.
        by_dtype: top-1 accuracy by the precision of the forward pass: "fp32", or the one that
            autocast was asked for.
        right_answers: one bit an image of the split in fp32, as hexadecimal digits; None where the
            run did not keep them.
    """

    model: str
    input_shape: tuple[int, ...]
    data: str
    by_dtype: Mapping[str, Estimate]
    right_answers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedModel:
    """What a checkpoint says of the model that was trained.

    Args:
        reference: of the model.
        class_count: its outputs; None where no weight in the file has so many rows.
    """

    reference: str
    class_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    data: str
    by_dtype: Mapping[str, Estimate]
    right_answers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notes:
    accuracy: _Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Info:
    recipe: _Recipe
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...] = ()
    notes: _Notes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What is read of a checkpoint's header, in its form."""

    info: _Info


def with_accuracy(profile: Profile, checkpoint: Path) -> Profile:
    """The profile with the accuracy of its weights, or with a finding that says why without.

    Args:
        profile: of a model whose weights came from the checkpoint.
        checkpoint: any file of weights; one that states no accuracy leaves the profile as it is.
    """
    try:
        stated = read_accuracy(checkpoint)
    except FormError as error:
        return _without(profile, checkpoint, f"its header cannot be read ({error})")
    if stated is None:
        return profile
    problem = _mismatch(stated, profile)
    if problem is not None:
        return _without(profile, checkpoint, problem)
    accuracy = stated.by_dtype[PRECISION]
    source = f"{accuracy.source}; by the run that wrote {checkpoint.name}"
    return replace(
        profile,
        accuracy=replace(accuracy, source=source),
        accuracy_data=stated.data,
        right_answers=stated.right_answers,
    )


def _without(profile: Profile, checkpoint: Path, reason: str) -> Profile:
    finding = accuracy_not_taken(checkpoint.name, reason)
    return replace(profile, findings=(*profile.findings, finding))


def _mismatch(stated: TrainedAccuracy, profile: Profile) -> str | None:
    """Why the accuracy is not one of what the profile measured."""
    workload = profile.workload
    if stated.model != workload.model:
        return f"it was trained as '{stated.model}', and measured as '{workload.model}'"
    shape = "x".join(map(str, stated.input_shape))
    if any(seen.partition("x")[2] != shape for seen in workload.input_shapes):
        return f"it holds for images of {shape}, and was measured on {workload.input_shapes[0]}"
    if workload.dtype != PRECISION:
        return (
            f"it was measured in {workload.dtype} throughout, weights included, and evaluated in "
            f"{' and '.join(stated.by_dtype)}, where only autocast lowers the precision"
        )
    if PRECISION not in stated.by_dtype:
        return f"it was evaluated in {' and '.join(stated.by_dtype)}, and measured in {PRECISION}"
    return None


def read_accuracy(checkpoint: Path) -> TrainedAccuracy | None:
    """What the header of a safetensors file states, in `__metadata__` under "wattprof".

    Returns:
        None where the file has no such header, or its run had no test split.

    Raises:
        FormError: the header is not what a training run writes.
    """
    text = _header(checkpoint)
    if text is None:
        return None
    info = decode(parse(text), _Header).info
    note = None if info.notes is None else info.notes.accuracy
    if note is None:
        return None
    return TrainedAccuracy(
        model=_printable(info.recipe.model, "model"),
        input_shape=info.input_shape,
        data=_printable(note.data, "data"),
        by_dtype={dtype: _checked(accuracy, dtype) for dtype, accuracy in note.by_dtype.items()},
        right_answers=_hexadecimal(note.right_answers),
    )


def stated_model(checkpoint: Path) -> StatedModel | None:
    """The model that a safetensors file was trained as; None where it does not say."""
    try:
        text = _header(checkpoint)
        info = None if text is None else decode(parse(text), _Header).info
    except FormError:
        return None  # whoever loads the weights will say what is wrong with the file
    if info is None:
        return None
    class_count = len(info.class_names)
    # A network is built for as many before its weights are looked at: a false header must not
    # decide how much memory that takes.
    is_borne_out = class_count > 0 and class_count in _row_counts(checkpoint)
    return StatedModel(
        reference=info.recipe.model, class_count=class_count if is_borne_out else None
    )


def _row_counts(checkpoint: Path) -> set[int]:
    """Sizes of the first dimensions of all tensors in a safetensors file."""
    from safetensors import safe_open

    with safe_open(checkpoint.expanduser(), framework="pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 # no mapping
    return {shape[0] for shape in shapes if shape}


def _header(checkpoint: Path) -> str | None:
    """JSON of the header of a file that a training run of this program wrote; None of others."""
    from safetensors import SafetensorError, safe_open

    if checkpoint.suffix != ".safetensors":
        return None
    try:
        with safe_open(checkpoint.expanduser(), framework="pt") as file:
            return (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        raise FormError("it is no safetensors file") from error


def _hexadecimal(text: str | None) -> str | None:
    """Digits alone, no more than a million images need."""
    if text is None or re.fullmatch("[0-9a-f]{1,250000}", text):
        return text
    raise FormError("right_answers are no hexadecimal digits")


def _printable(text: str, name: str) -> str:
    """A text that cannot move a terminal's cursor."""
    if not text.isprintable() or len(text) > LONGEST_TEXT:
        raise FormError(f"{name} is no printable text of at most {LONGEST_TEXT} letters")
    return text


def _checked(accuracy: Estimate, dtype: str) -> Estimate:
    low, high = accuracy.low, accuracy.high
    if low is None or high is None or not 0 <= low <= high <= 1 or accuracy.unit:
        raise FormError(f"the accuracy in {dtype[:10]!a} is no share with an interval")
    if accuracy.basis is not Basis.MEASURED or not accuracy.source.isprintable():
        raise FormError(f"the accuracy in {dtype[:10]!a} is not measured")
    return accuracy
