"""Data of a training run: decoded once to uint8 on the training device, augmented there.

The test split is opened here and read once, at the end of a run: nothing is ever chosen by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from profiler.errors import InputDataError, UsageError
from profiler.inputs.base import ImageSet, Normalization, Split
from profiler.inputs.dataset import check_one_size, stack
from profiler.inputs.holdout import held_out
from profiler.inputs.sources import has_split, open_source
from training.recipe import Recipe

from .classes import as_known
from .data_identity import DataIdentity, identify
from .pixels import Pixels

__all__ = ["Pixels", "Splits", "load_splits"]

MOST_PIXEL_BYTES = 2 * 2**30
VALIDATION_SEED = 0
"""Not the recipe's: runs that differ in their seed alone are compared on the same images."""
LOOKED_AT = 32
"""Images that are decoded to tell the size of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """What a run learns from, and what it is judged by.

    Args:
        train: what it learns from.
        validation: the source's own, or held out of its training split; None for neither.
        test: None where the source has none.
        class_names: by label.
        normalization: applied to pixels scaled to [0, 1].
        description: what the splits are, with their counts.
        test_description: what the test split is; "" where there is none.
        identity: what tells whether they are still the same.
    """

    train: Pixels
    validation: Pixels | None
    test: Pixels | None
    class_names: tuple[str, ...]
    normalization: Normalization
    description: str
    test_description: str = ""
    identity: DataIdentity | None = None

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(3, height, width) of one image."""
        return (3, *self.train.size)


def load_splits(
    recipe: Recipe,
    device: torch.device | str,
    *,
    most_bytes: int = MOST_PIXEL_BYTES,
    root: Path | None = None,
) -> Splits:
    """Decode what a recipe names.

    Args:
        recipe: `data`, `image_size`, `validation_share` and `batch_size` are read.
        device: where the pixels go.
        most_bytes: a split with more pixels than this stays on disk, and is decoded as it is used.
        root: folder of downloaded data; None for the cache.

    Raises:
        InputDataError: there is no data, it has no labels, or test and train do not fit.
        UsageError: a batch is larger than the split, or the validation split would be empty.
    """
    device = torch.device(device)
    everything, source = _load_split(recipe, "train", device, most_bytes, root)
    names = _class_names(source, everything.labels, recipe.data)
    identities = {"train": identify(source, everything.labels, names)}
    others: dict[Split, tuple[Pixels, ImageSet]] = {}
    for split in _other_splits(recipe):
        loaded, opened = _load_split(recipe, split, device, most_bytes, root)
        others[split] = _checked(loaded, opened, split, everything, names, recipe.data), opened
        identities[split] = identify(opened, others[split][0].labels, names)
    train, validation = _held_out(everything, recipe.validation_share, names)
    validation, _ = others.get("validation", (validation, None))
    test, test_source = others.get("test", (None, None))
    if recipe.batch_size > len(train):
        raise UsageError(
            f"a batch of {recipe.batch_size} is larger than the {len(train)} training images",
            hint=f"--batch-size {2 ** max(len(train) // 16, 1).bit_length()}",
        )
    counts = [f"{len(train)} to learn from"]
    counts += [f"{len(validation)} to choose by"] if validation else []
    counts += [f"{len(test)} to test on"] if test else []
    return Splits(
        train=train,
        validation=validation,
        test=test,
        class_names=names,
        normalization=source.normalization,
        description=f"{described(source, recipe)}; {', '.join(counts)}",
        test_description=described(test_source, recipe) if test_source else "",
        identity=DataIdentity(**identities),
    )


def _other_splits(recipe: Recipe) -> list[Split]:
    """The stored splits beside the one to train on.

    Raises:
        UsageError: the recipe would hold images out beside a stored validation split.
    """
    if recipe.validation_share and has_split(recipe.data, "validation"):
        raise UsageError(
            f"'{recipe.data}' has a validation split, and a validation share of "
            f"{recipe.validation_share:g} would hold out others",
            hint="--validation-share 0 chooses by the stored split",
        )
    splits: tuple[Split, ...] = ("validation", "test")
    return [split for split in splits if has_split(recipe.data, split)]


def described(source: ImageSet, recipe: Recipe) -> str:
    """What a source is, with the size that its images are brought to where that is another."""
    side = recipe.image_size
    return source.description + ("" if side is None else f", resized to {side}x{side}")


def _load_split(
    recipe: Recipe, split: Split, device: torch.device, most_bytes: int, root: Path | None
) -> tuple[Pixels, ImageSet]:
    """One split, and the source it was read from."""
    source = open_source(recipe.data, split=split, root=root, label_column=recipe.label_column)
    labels = source.labels()
    if labels is None:
        raise InputDataError(
            f"the images of '{recipe.data}' have no labels to learn",
            hint="put them into one subfolder a class: train/cat, train/dog",
        )
    side = recipe.image_size
    asked = (side, side) if side else None
    size = asked or _stored_size(source)
    if len(source) * 3 * size[0] * size[1] > most_bytes:
        from .stream import StreamedPixels

        return StreamedPixels(source, labels.to(device), size, is_resized=bool(side)), source
    images = stack(source.images(range(len(source)), asked), asked)
    return Pixels(images.to(device), labels.to(device)), source


def _stored_size(source: ImageSet) -> tuple[int, int]:
    """The size of all images, told from some of them: the others are looked at when decoded."""
    step = max(len(source) // LOOKED_AT, 1)
    looks = (source.images([index])[0] for index in range(0, len(source), step))
    sizes = [(int(image.shape[1]), int(image.shape[2])) for image in looks]
    check_one_size(sizes)
    return sizes[0]


def _class_names(source: ImageSet, labels: Tensor, spec: str) -> tuple[str, ...]:
    low, high = int(labels.min()), int(labels.max())
    names = source.class_names or tuple(str(label) for label in range(high + 1))
    if low < 0 or high >= len(names):
        wrong = low if low < 0 else high
        raise InputDataError(
            f"'{spec}' has a label {wrong}, but {len(names)} classes",
            hint=f"labels are numbers from 0 to {len(names) - 1}",
        )
    if len(names) < 2:
        raise InputDataError(f"'{spec}' has one class only: there is nothing to tell apart")
    return names


def _checked(
    pixels: Pixels,
    source: ImageSet,
    split: Split,
    train: Pixels,
    names: tuple[str, ...],
    spec: str,
) -> Pixels:
    """A split beside the one to train on, with the labels that its classes have there."""
    what = f"the {split} split of '{spec}'"
    labels = as_known(
        pixels.labels, source.class_names, names, whom=what, who="its train split",
        hint="its classes must be among those that are learnt",
    )  # fmt: skip
    if pixels.size != train.size:
        sizes = ("x".join(map(str, some.size)) for some in (pixels, train))
        raise InputDataError(
            f"the {split} images are {{}}, the training images {{}}".format(*sizes),
            hint="resize both with --image-size",
        )
    return pixels.with_labels(labels)


def _held_out(pixels: Pixels, share: float, names: tuple[str, ...]) -> tuple[Pixels, Pixels | None]:
    """The split without, and only with, the share of each class that chooses the best weights."""
    if share == 0:
        return pixels, None
    count = len(pixels)
    if round(share * count) == 0:
        raise UsageError(
            f"a validation share of {share:g} leaves no image of {count} to choose by",
            hint=f"--validation-share {math.ceil(100 / count) / 100:g}",
        )
    is_held_out = held_out(pixels.labels.cpu(), share, VALIDATION_SEED, names)
    numbers = torch.arange(count)
    parts = (numbers[chosen].to(pixels.labels.device) for chosen in (~is_held_out, is_held_out))
    train, validation = map(pixels.subset, parts)
    return train, validation
