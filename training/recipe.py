"""Recipe: everything that decides what a training run computes, and nothing about where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from profiler.errors import UsageError
from profiler.values.codec import FormError, decode, encode, parse_toml

RECIPES = Path(__file__).parent / "recipes"
CHOICES = {
    "optimizer": ("sgd", "adamw"),
    "schedule": ("one-cycle", "cosine"),
    "dtype": ("fp32", "bf16", "fp16"),
}
PLACES = ("data", "teacher")
AT_LEAST_ONE = ("epochs", "batch_size")
NOT_NEGATIVE = ("learning_rate", "weight_decay", "crop_padding", "cutout_size", "seed")
SHARES = (
    "momentum", "warmup_share", "label_smoothing", "ema_decay", "validation_share",
    "distillation_weight",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run, reproducible from this and the code.

    Args:
        model: reference as `python -m profiler measure --model` takes it, transforms included.
        data: source as `--data` takes it; it must have labels.
        label_column: column of a Parquet source that holds the classes; None for the first of
            label, labels, fine_label, coarse_label.
        epochs: passes over the training split.
        batch_size: images of one step, over all devices together.
        optimizer: "sgd" (Nesterov) or "adamw".
        learning_rate: at its peak.
        momentum: of SGD; the first beta of AdamW.
        weight_decay: of matrices and kernels; biases and normalisation layers have none.
        schedule: "one-cycle" (linear up, linear down to 0) or "cosine" (linear up, cosine to 0).
        warmup_share: share of the schedule's steps in which the rate climbs.
        restarts: epochs after which the schedule begins anew, such as 10,20; a finished run that
            is given more epochs has one where it had ended.
        label_smoothing: share of the target spread over all classes.
        ema_decay: per step, of the averaged weights that are evaluated; None evaluates the last.
        crop_padding: pixels of reflected border from which a random crop is cut; 0 for none.
        flip: mirror half of the images.
        alternating_flip: mirror each image in every second epoch, in place of by chance.
        cutout_size: side of the square that is blanked in each image; 0 for none.
        dtype: of the forward pass, under autocast: "fp32", "bf16" or "fp16".
        channels_last: memory format of model and images.
        compile: whether torch.compile is used.
        image_size: side to which images are resized; None keeps the stored size.
        validation_share: share of the training split held out to choose the best checkpoint; with
            0 the last checkpoint is the best. The test split never chooses anything.
        seed: of the weights, the order and the augmentation.
        deterministic: same machine, same bits; slower.
        initial: checkpoint whose weights the training starts from: those of the same model, or of
            what its transforms are applied to; None for fresh ones.
        teacher: checkpoint written by this program whose model teaches; None for none.
        teacher_model: reference of the teacher's model, where its file does not say it or it is
            code of your own; None for neither.
        temperature: that softens both distributions (Hinton et al., arXiv 1503.02531).
        distillation_weight: alpha, the weight of the teacher; 1 - alpha is the labels'.
    """

    model: str = "lightweight"
    data: str = "cifar10"
    label_column: str | None = None
    epochs: int = 100
    batch_size: int = 256
    optimizer: str = "sgd"
    learning_rate: float = 0.3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "one-cycle"
    warmup_share: float = 0.2
    restarts: tuple[int, ...] = ()
    label_smoothing: float = 0.0
    ema_decay: float | None = None
    crop_padding: int = 4
    flip: bool = True
    alternating_flip: bool = False
    cutout_size: int = 0
    dtype: str = "bf16"
    channels_last: bool = True
    compile: bool = False
    image_size: int | None = None
    validation_share: float = 0.0
    seed: int = 0
    deterministic: bool = False
    initial: str | None = None
    teacher: str | None = None
    teacher_model: str | None = None
    temperature: float = 4.0
    distillation_weight: float = 0.9

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise _wrong(self, name, f"one of {', '.join(known)}")
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise _wrong(self, name, "at least 1")
        for name in NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < float("inf"):
                raise _wrong(self, name, "a finite number of at least 0")
        for name in SHARES:
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise _wrong(self, name, "between 0 and 1")
        edges = (0, *self.restarts, self.epochs)
        if any(one >= other for one, other in pairwise(edges)):
            raise _wrong(self, "restarts", "rising numbers of epochs before the last one")
        if self.validation_share > 0.5:
            raise _wrong(self, "validation_share", "at most 0.5")
        if self.image_size is not None and self.image_size < 1:
            raise _wrong(self, "image_size", "at least 1")
        if self.alternating_flip and not self.flip:
            raise _wrong(self, "alternating_flip", "possible without flip")
        if not 0 < self.temperature < float("inf"):
            raise _wrong(self, "temperature", "positive")

    def changes(self, other: Recipe) -> dict[str, tuple[object, object]]:
        """The differences that change what is computed.

        Where data and a teacher lie does not: that they are the same is told by what they are.
        """
        return {
            name: pair
            for name, pair in self.differences(other).items()
            if not (name in PLACES and _is_elsewhere(name, *pair))
        }

    def differences(self, other: Recipe) -> dict[str, tuple[object, object]]:
        """By field, the values of both where they differ."""
        pairs = {
            item.name: (getattr(self, item.name), getattr(other, item.name))
            for item in fields(self)
        }
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def prolonged(recipe: Recipe, epochs: int) -> Recipe:
    """The same for more epochs, with a schedule of their own for those that are added."""
    return replace(recipe, epochs=epochs, restarts=(*recipe.restarts, recipe.epochs))


def _is_elsewhere(name: str, one: object, other: object) -> bool:
    """Whether two values of a field may be the same thing in two places."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    kinds = [text.partition(":")[:2] for text in (one, other)]
    return name == "teacher" or kinds[0] == kinds[1] != (one, "")


def flag_of(field_name: str) -> str:
    """The command line flag that sets a field."""
    return "--" + field_name.replace("_", "-")


def make_recipe(values: Any, *, base: Recipe | None = None, origin: str) -> Recipe:
    """A recipe from plain values, checked field by field.

    Args:
        values: a mapping by field name, as TOML or JSON gives it.
        base: recipe whose other fields are kept.
        origin: where the values come from, for the error ("recipe.toml").

    Raises:
        UsageError: no mapping, an unknown field, a value of the wrong type, or one out of range.
    """
    try:
        given = decode(values, Mapping[str, Any])
        recipe = decode({**encode(base or Recipe()), **given}, Recipe, strict=True)
    except FormError as error:
        refused = error.__cause__
        if isinstance(refused, UsageError):
            raise refused from error
        field = f"{error.where} in {origin}" if error.where else origin
        raise UsageError(f"{field} {error.problem}", hint=_how_to_write(error.where)) from error
    # A rate of 1 and one of 1.0 are the same recipe, and must be stored as the same text.
    reals = {item.name for item in fields(Recipe) if "float" in str(item.type)}
    whole: dict[str, Any] = {
        name: float(value) for name in reals if type(value := getattr(recipe, name)) is int
    }
    return replace(recipe, **whole)


def _how_to_write(field: str | None) -> str:
    if field:
        return 'write numbers as 3 or 0.1, switches as true or false, and text in quotes: "sgd"'
    return f"the fields are {', '.join(item.name for item in fields(Recipe))}"


def recipe_names() -> tuple[str, ...]:
    """The named recipes."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.toml")))


def load_recipe(name_or_path: str) -> Recipe:
    """A named recipe, or one from a TOML file.

    Raises:
        UsageError: there is no such recipe, or the file is no valid one.
    """
    path = RECIPES / f"{name_or_path}.toml"
    if name_or_path not in recipe_names():
        path = Path(name_or_path).expanduser()
    try:
        values = parse_toml(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"there is no recipe '{name_or_path}'",
            hint=f"the recipes are {', '.join(recipe_names())}, or give a TOML file",
        ) from error
    except FormError as error:
        raise UsageError(
            f"the recipe '{path}' {error}",
            hint=f"write a field a line, such as epochs = 10; {RECIPES.name}/quick.toml is one",
        ) from error
    return make_recipe(values, origin=f"'{path.name}'")


def _wrong(recipe: Recipe, name: str, wanted: str) -> UsageError:
    value = getattr(recipe, name)
    return UsageError(f"{name} is {value!r}, not {wanted}", hint=f"set it with {flag_of(name)}")
