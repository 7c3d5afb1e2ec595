"""Info: what a checkpoint knows beside its tensors, as JSON in the file's header. Imports no torch.

A header comes from a file that anybody may have written: every value is checked, and no text in it
can move a terminal's cursor.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from profiler.errors import UsageError
from profiler.inputs.base import Normalization
from profiler.values.codec import FormError, check_version, decode, encode, parse
from profiler.variants import parse as parse_variant
from profiler.version import __version__
from training.data.data_identity import DataIdentity
from training.recipe import Recipe
from training.result import CurvePoint

SCHEMA_VERSION = 1
MOST_CLASSES = 1_000_000
LARGEST_SIDE = 16_384
LONGEST_TEXT = 10_000
ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, among them those that begin an escape sequence
    "\u2028\u2029"  # line ends
    "\u202a-\u202e\u2066-\u2069]"  # which turn the direction of the text that follows
)
_SAFE_MODEL = re.compile(r"((torchvision|timm):)?[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Everything but tensors that going on, evaluating or predicting needs.

    Args:
        recipe: what is trained; `recipe.model` is the model's reference.
        class_names: by label; its length is the model's number of classes.
        input_shape: (3, height, width) of the images the model was trained on.
        normalization: applied to pixels scaled to [0, 1].
        epochs_done: finished epochs; the next one to run, counted from 0.
        step: optimizer steps done; more than those of the finished epochs where a run was
            interrupted inside an epoch.
        best_accuracy: on the validation split, of the weights in best.safetensors; None before.
        best_epoch: whose weights those are, counted from 1; None before.
        curve: one point for each finished epoch.
        data: what the splits are, wherever they lie; None in checkpoints of earlier versions.
        teacher_sha256: of the teacher's weights; None without one, and in earlier versions.
        notes: what else the loop wants back: JSON values by name.

    Raises:
        ValueError: a value that no run can have.
    """

    recipe: Recipe
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    normalization: Normalization
    epochs_done: int = 0
    step: int = 0
    best_accuracy: float | None = None
    best_epoch: int | None = None
    curve: tuple[CurvePoint, ...] = ()
    data: DataIdentity | None = None
    teacher_sha256: str | None = None
    notes: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        shape, scale = self.input_shape, self.normalization
        _require(1 <= len(self.class_names) <= MOST_CLASSES, "class_names", "1 to 1000000 names")
        _require(
            len(shape) == 3 and shape[0] == 3 and 1 <= min(shape) <= max(shape) <= LARGEST_SIDE,
            "input_shape",
            f"3 x height x width of at most {LARGEST_SIDE} pixels",
        )
        numbers = (*scale.mean, *scale.std)
        _require(
            len(scale.mean) == len(scale.std) == 3
            and all(map(math.isfinite, numbers))
            and min(scale.std) > 0,
            "normalization",
            "three means and three positive deviations",
        )
        _require(0 <= self.epochs_done <= self.recipe.epochs, "epochs_done", "within the recipe's")
        _require(self.step >= 0, "step", "at least 0")
        _require(_is_share(self.best_accuracy), "best_accuracy", "between 0 and 1")
        best = self.best_epoch
        _require(best is None or 1 <= best <= self.recipe.epochs, "best_epoch", "within the run")
        _check_curve(self.curve, self.epochs_done)

    @property
    def class_count(self) -> int:
        """Outputs of the model."""
        return len(self.class_names)

    @property
    def is_finished(self) -> bool:
        """Whether every epoch of the recipe is done."""
        return self.epochs_done >= self.recipe.epochs

    @property
    def names_library_model(self) -> bool:
        """Whether the reference leads to the zoo, torchvision or timm, and so to nobody's code.

        Transforms are the library's own, and a point of a space is numbers.
        """
        from profiler.workload.target import is_point_of_zoo

        base = parse_variant(self.recipe.model).base
        return _SAFE_MODEL.fullmatch(base) is not None or is_point_of_zoo(base)


def write_header(info: Info, kind: str, extra: Mapping[str, Any]) -> str:
    """The header's JSON.

    Args:
        info: what to keep.
        kind: what the file is for.
        extra: how its tensors are put together.

    Raises:
        UsageError: a text that `read_header` would refuse.
        ValueError: a note is NaN.
    """
    plain = encode(info)
    try:
        _check_text(plain)
    except FormError as error:
        raise UsageError(
            f"a checkpoint cannot be kept: {error}",
            hint="rename the class, the file or the folder that is so called",
        ) from error
    document = {
        "schema_version": SCHEMA_VERSION,
        "wattprof": __version__,
        "kind": kind,
        "info": plain,
        **extra,
    }
    return json.dumps(document, allow_nan=False)


def read_header(text: str) -> tuple[Info, dict[str, Any]]:
    """The reverse of `write_header`: the info, and the whole document.

    Raises:
        FormError: one clause that says what is wrong with it.
    """
    document = parse(text)
    if not isinstance(document, dict) or not isinstance(document.get("info"), dict):
        raise FormError("is no record of a training run")
    check_version(document, SCHEMA_VERSION)
    try:
        _check_text(document["info"])
        # Strict: a field that this program does not know may change what is computed.
        return decode(document["info"], Info, strict=True), document
    except FormError as error:
        raise FormError(f"is damaged: {error}") from error


def _check_text(value: Any) -> None:
    """Refuse text that is too long, or that does more to a terminal than to be read."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise FormError(f"the text {value[:20]!a}... has {len(value)} characters")
        if ACTING.search(value):
            raise FormError(f"the text {value[:20]!a} holds control characters")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)


def _check_curve(curve: Sequence[CurvePoint], epochs_done: int) -> None:
    """Refuse a curve that no run of so many epochs can have drawn."""
    epochs = [point.epoch for point in curve]
    in_order = epochs == sorted(set(epochs)) and all(1 <= epoch <= epochs_done for epoch in epochs)
    _require(in_order, "curve", "one of finished epochs in their order")
    for point in curve:
        _require(
            math.isfinite(point.loss)
            and _is_share(point.train_accuracy)
            and _is_share(point.validation_accuracy)
            and 0 <= point.duration_s < math.inf,
            "curve",
            f"possible at epoch {point.epoch}",
        )


def _is_share(value: float | None) -> bool:
    return value is None or 0 <= value <= 1


def _require(holds: bool, name: str, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{name} is not {wanted}")
