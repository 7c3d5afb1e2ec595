"""Data of a training run: decoded once to uint8 on the training device, augmented there.

The test split is opened here and read once, at the end of a run: nothing is ever chosen by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from profiler.errors import InputDataError, UsageError
from profiler.inputs.base import ImageSet, Normalization, Split
from profiler.inputs.dataset import stack
from profiler.inputs.folder import SPLIT_FOLDERS
from profiler.inputs.sources import open_source
from training.recipe import Recipe

from .pixels import Pixels

__all__ = ["Pixels", "Splits", "load_splits"]

MOST_PIXEL_BYTES = 2 * 2**30
VALIDATION_SEED = 0
"""Not the recipe's: runs that differ in their seed alone are compared on the same images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """What a run learns from, and what it is judged by.

    Args:
        train: what it learns from.
        validation: held out of the source's training split; None where the recipe holds out none.
        test: None where the source has none.
        class_names: by label.
        normalization: applied to pixels scaled to [0, 1].
        description: what the splits are, with their counts.
        test_description: what the test split is; "" where there is none.
    """

    train: Pixels
    validation: Pixels | None
    test: Pixels | None
    class_names: tuple[str, ...]
    normalization: Normalization
    description: str
    test_description: str = ""

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
    train, validation = _held_out(everything, recipe.validation_share)
    test, test_source = None, None
    if has_test_split(recipe.data):
        test, test_source = _load_split(recipe, "test", device, most_bytes, root)
        _check_test(test, test_source, everything, names, recipe.data)
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
    )


def described(source: ImageSet, recipe: Recipe) -> str:
    """What a source is, with the size that its images are brought to where that is another."""
    side = recipe.image_size
    return source.description + ("" if side is None else f", resized to {side}x{side}")


def has_test_split(spec: str) -> bool:
    """Whether a source has images beside those it trains on; asks the disk, decodes nothing."""
    name, _, path = spec.partition(":")
    place = Path(path).expanduser()
    if name == "parquet":
        return (place / "test.parquet").is_file()
    if name == "folder":
        return any((place / folder).is_dir() for folder in SPLIT_FOLDERS["test"])
    return True


def _load_split(
    recipe: Recipe, split: Split, device: torch.device, most_bytes: int, root: Path | None
) -> tuple[Pixels, ImageSet]:
    """One split, and the source it was read from."""
    source = open_source(recipe.data, split=split, root=root)
    labels = source.labels()
    if labels is None:
        raise InputDataError(
            f"the images of '{recipe.data}' have no labels to learn",
            hint="put them into one subfolder a class: train/cat, train/dog",
        )
    side = recipe.image_size
    size = (side, side) if side else _stored_size(source)
    if len(source) * 3 * size[0] * size[1] > most_bytes:
        from .stream import StreamedPixels

        return StreamedPixels(source, labels.to(device), size), source
    images = stack(source.images(range(len(source))), (side, side) if side else None)
    return Pixels(images.to(device), labels.to(device)), source


def _stored_size(source: ImageSet) -> tuple[int, int]:
    height, width = source.images([0])[0].shape[1:]
    return int(height), int(width)


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


def _check_test(
    test: Pixels, source: ImageSet, train: Pixels, names: tuple[str, ...], spec: str
) -> None:
    if source.class_names is not None and source.class_names != names:
        only = sorted(set(source.class_names) ^ set(names)) or list(source.class_names)
        raise InputDataError(
            f"the test split of '{spec}' has other classes than its train split: {only[0]}",
            hint="both need the same class folders",
        )
    _class_names_fit = int(test.labels.min()) >= 0 and int(test.labels.max()) < len(names)
    if not _class_names_fit:
        raise InputDataError(
            f"the test split of '{spec}' has a label {int(test.labels.max())}, "
            f"but its train split has {len(names)} classes"
        )
    if test.size != train.size:
        sizes = ("x".join(map(str, pixels.size)) for pixels in (test, train))
        raise InputDataError(
            "the test images are {}, the training images {}".format(*sizes),
            hint="resize both with --image-size",
        )


def _held_out(pixels: Pixels, share: float) -> tuple[Pixels, Pixels | None]:
    """The split without, and only with, the share of each class that chooses the best weights."""
    if share == 0:
        return pixels, None
    generator = torch.Generator().manual_seed(VALIDATION_SEED)
    labels = pixels.labels.cpu()
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        numbers = (labels == label).nonzero()[:, 0]
        shuffled = numbers[torch.randperm(len(numbers), generator=generator)]
        held_out[shuffled[: round(share * len(numbers))]] = True
    if not held_out.any():
        raise UsageError(
            f"a validation share of {share:g} leaves no image of {len(labels)} to choose by",
            hint="--validation-share 0.1",
        )
    numbers = torch.arange(len(labels))
    parts = (numbers[chosen].to(pixels.labels.device) for chosen in (~held_out, held_out))
    train, validation = map(pixels.subset, parts)
    return train, validation
