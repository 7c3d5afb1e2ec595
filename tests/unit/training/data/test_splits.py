from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from profiler.errors import InputDataError, UsageError
from tests.unit.training.pictures import SIDE, write_pictures
from training.data.batches import batches, steps_per_epoch
from training.data.splits import Pixels, load_splits
from training.data.stream import StreamedPixels
from training.distribution import Group
from training.recipe import Recipe

PLAIN = Recipe(batch_size=4, crop_padding=0, flip=False)


def recipe_of(spec: str, **changes: object) -> Recipe:
    return replace(PLAIN, data=spec, **changes)  # type: ignore[arg-type]  # checked by the recipe


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_pictures(tmp_path_factory.mktemp("pictures"), {"train": 12, "test": 5})


def numbered(count: int, classes: int = 3) -> Pixels:
    """Images whose every pixel is their number."""
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2)
    return Pixels(images.contiguous(), torch.arange(count) % classes)


def seen_numbers(pixels: Pixels, recipe: Recipe, epoch: int, **how: object) -> list[list[int]]:
    from profiler.inputs.base import Normalization

    same = Normalization(mean=(0.0,) * 3, std=(1 / 255,) * 3)
    steps = batches(pixels, recipe, epoch, same, **how)  # type: ignore[arg-type]
    return [images[:, 0, 0, 0].round().int().tolist() for images, _ in steps]


def test_splits_are_whole_and_described(spec: str) -> None:
    splits = load_splits(recipe_of(spec), "cpu")
    assert (len(splits.train), splits.validation, splits.test and len(splits.test)) == (
        24,
        None,
        10,
    )
    assert splits.train.images.dtype is torch.uint8
    assert splits.input_shape == (3, SIDE, SIDE)
    assert splits.class_names == ("class0", "class1")
    assert "24 to learn from, 10 to test on" in splits.description


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_validation_is_stratified_disjoint_and_the_same_for_every_seed(
    spec: str, share: float
) -> None:
    whole = load_splits(recipe_of(spec), "cpu").train
    first = load_splits(recipe_of(spec, validation_share=share, seed=1), "cpu")
    again = load_splits(recipe_of(spec, validation_share=share, seed=2), "cpu")
    assert first.validation is not None
    assert again.validation is not None
    assert torch.equal(first.validation.images, again.validation.images)
    assert first.validation.labels.bincount().tolist() == [round(12 * share)] * 2
    parts = torch.cat((first.train.images, first.validation.images)).flatten(1)
    assert sorted(parts.tolist()) == sorted(whole.images.flatten(1).tolist())


def test_a_validation_share_too_small_for_an_image_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"validation share of 0.01 leaves no image of 24"):
        load_splits(recipe_of(spec, validation_share=0.01), "cpu")


def test_a_batch_larger_than_the_data_is_refused_with_one_that_fits(spec: str) -> None:
    with pytest.raises(UsageError, match=r"batch of 25 is larger than the 24") as refused:
        load_splits(recipe_of(spec, batch_size=25), "cpu")
    fitting = int((refused.value.hint or "").split()[-1])
    assert 1 <= fitting <= 24


def test_pictures_without_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    source = write_pictures(tmp_path / "source", {"train": 1}).removeprefix("folder:")
    picture = next(Path(source).rglob("*.png"))
    picture.rename(tmp_path / "train" / "a.png")
    with pytest.raises(InputDataError, match="have no labels to learn") as refused:
        load_splits(recipe_of(f"folder:{tmp_path}"), "cpu")
    assert "one subfolder a class" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("folder:/nowhere", "does not exist"), ("synthetic", "holds no images"),
        ("cifar1", "unknown data"), ("parquet:/nowhere", "no file or folder"),
    ],
)  # fmt: skip
def test_no_data_is_told_with_a_hint(spec: str, told: str) -> None:
    with pytest.raises(InputDataError, match=told):
        load_splits(recipe_of(spec), "cpu")


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    spec = write_pictures(tmp_path, {"train": 4}, classes=1)
    with pytest.raises(InputDataError, match="has one class only"):
        load_splits(recipe_of(spec), "cpu")


def test_a_source_without_test_split_can_be_trained_on(tmp_path: Path) -> None:
    splits = load_splits(recipe_of(write_pictures(tmp_path, {"train": 4})), "cpu")
    assert splits.test is None
    assert splits.test_description == ""


def test_test_classes_other_than_those_learnt_are_refused(tmp_path: Path) -> None:
    spec = write_pictures(tmp_path, {"train": 4, "test": 2})
    (tmp_path / "test" / "class1").rename(tmp_path / "test" / "cat")
    with pytest.raises(InputDataError, match=r"classes that its train split does not know: cat"):
        load_splits(recipe_of(spec), "cpu")


def test_sizes_that_differ_between_the_splits_are_refused_unless_resized(tmp_path: Path) -> None:
    spec = write_pictures(tmp_path, {"train": 4})
    write_pictures(tmp_path, {"test": 2}, side=6)
    with pytest.raises(InputDataError, match=r"the test images are 6x6, the training images 8x8"):
        load_splits(recipe_of(spec), "cpu")
    splits = load_splits(recipe_of(spec, image_size=6), "cpu")
    assert splits.description.partition(";")[0].endswith(", resized to 6x6")
    assert splits.test is not None
    assert splits.test.size == splits.train.size == (6, 6)


@pytest.mark.parametrize(("labels", "told"), [((0, 2), "label 2, but 2"), ((-1, 1), "label -1")])
def test_labels_that_do_not_fit_the_classes_are_refused(
    tmp_path: Path, spec: str, labels: tuple[int, int], told: str
) -> None:
    pictures = sorted(Path(spec.removeprefix("folder:")).rglob("*.png"))[:2]
    cells = [{"bytes": path.read_bytes(), "path": path.name} for path in pictures]
    table = pa.table({"img": cells, "label": list(labels)})
    parquet.write_table(
        table.replace_schema_metadata({"classes": "a,b"}), tmp_path / "train.parquet"
    )
    with pytest.raises(InputDataError, match=told):
        load_splits(recipe_of(f"parquet:{tmp_path}"), "cpu")


def test_an_epoch_shows_every_image_at_most_once_and_another_order_the_next_time() -> None:
    pixels, recipe = numbered(23), PLAIN
    first, second = ([*chain(*seen_numbers(pixels, recipe, epoch))] for epoch in (1, 2))
    assert len(first) == len(set(first)) == 4 * steps_per_epoch(pixels, recipe) == 20
    assert first != second


def test_labels_stay_with_their_images() -> None:
    pixels, same = numbered(24), replace(PLAIN, flip=True)
    from profiler.inputs.base import Normalization

    plain = Normalization(mean=(0.0,) * 3, std=(1 / 255,) * 3)
    for images, labels in batches(pixels, same, 1, plain):
        assert torch.equal(images[:, 0, 0, 0].round().long() % 3, labels)


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_each_step_and_together_see_what_one_would(world_size: int) -> None:
    alone = seen_numbers(numbered(24), PLAIN, 1)
    parts = [
        seen_numbers(numbered(24), PLAIN, 1, group=Group(rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert [[*chain(*step)] for step in zip(*parts, strict=True)] == alone


def test_a_resumed_epoch_goes_on_with_the_batches_that_were_left() -> None:
    whole = seen_numbers(numbered(24), PLAIN, 3)
    assert seen_numbers(numbered(24), PLAIN, 3, skip=4) == whole[4:]


def test_streamed_images_are_those_that_memory_would_hold(spec: str) -> None:
    recipe = recipe_of(spec, validation_share=0.25, flip=True, crop_padding=1, cutout_size=2)
    held = load_splits(recipe, "cpu")
    streamed = load_splits(recipe, "cpu", most_bytes=100)
    assert isinstance(streamed.train, StreamedPixels)
    assert isinstance(streamed.test, StreamedPixels)
    pairs = zip(
        batches(held.train, recipe, 2, held.normalization),
        batches(streamed.train, recipe, 2, streamed.normalization),
        strict=True,
    )
    for (images, labels), (other_images, other_labels) in pairs:
        assert torch.equal(images, other_images)
        assert torch.equal(labels, other_labels)
    assert held.validation is not None
    assert streamed.validation is not None
    numbers = [torch.arange(6)]
    (kept,), (decoded,) = held.validation.fetch(numbers), streamed.validation.fetch(numbers)
    assert torch.equal(kept, decoded)
