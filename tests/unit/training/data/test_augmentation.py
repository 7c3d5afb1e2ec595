from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.inputs.base import Normalization
from profiler.inputs.batch import normalize
from training.data.augmentation import Augmentation, Draws, draw_epoch, padded
from training.recipe import Recipe

CPU = torch.device("cpu")
PLAIN = Recipe(crop_padding=0, flip=False, cutout_size=0)
SCALE = Normalization(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
SIZE = (6, 5)


def pictures(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (count, 3, *SIZE), generator=generator, dtype=torch.uint8)


def augmented(images: torch.Tensor, recipe: Recipe, draws: Draws) -> torch.Tensor:
    numbers = torch.arange(len(images))
    bordered = padded(images, recipe.crop_padding)
    return Augmentation(recipe, SIZE, SCALE, CPU)(bordered, numbers, draws, numbers)


@given(seed=st.integers(0, 2**40), epoch=st.integers(1, 500))
def test_an_epoch_is_drawn_from_its_seed_and_number_alone(seed: int, epoch: int) -> None:
    recipe = Recipe(seed=seed, cutout_size=2)
    torch.manual_seed(epoch)
    first = draw_epoch(recipe, epoch, 20, SIZE, CPU)
    torch.manual_seed(seed % 1000 + 1)
    again = draw_epoch(recipe, epoch, 20, SIZE, CPU)
    other = draw_epoch(recipe, epoch + 1, 20, SIZE, CPU)
    for item in fields(Draws):
        assert torch.equal(getattr(first, item.name), getattr(again, item.name))
    assert not torch.equal(first.order, other.order)
    assert sorted(first.order.tolist()) == list(range(20))


def test_drawing_leaves_the_generators_of_torch_as_they_were() -> None:
    before = torch.get_rng_state()
    draw_epoch(Recipe(), 1, 50, SIZE, CPU)
    assert torch.equal(before, torch.get_rng_state())


def test_draws_cover_what_they_may_be_and_no_more() -> None:
    draws = draw_epoch(Recipe(crop_padding=2), 1, 4000, SIZE, CPU)
    assert set(draws.tops.tolist()) == set(draws.lefts.tolist()) == {0, 1, 2, 3, 4}
    assert abs(draws.flips.float().mean().item() - 0.5) < 0.05
    assert set(draws.hole_rows.tolist()) == set(range(SIZE[0]))
    assert set(draws.hole_columns.tolist()) == set(range(SIZE[1]))


def test_alternating_flips_show_every_image_both_ways_in_two_epochs() -> None:
    recipe = Recipe(alternating_flip=True, seed=3)
    epochs = [draw_epoch(recipe, epoch, 4000, SIZE, CPU) for epoch in (1, 2, 3)]
    first, second, third = (draws.flips for draws in epochs)
    assert torch.equal(first + second, torch.ones(4000, dtype=torch.int64))
    assert torch.equal(first, third)
    assert abs(first.float().mean().item() - 0.5) < 0.05
    by_chance = draw_epoch(replace(recipe, alternating_flip=False), 1, 4000, SIZE, CPU)
    assert torch.equal(epochs[0].hole_rows, by_chance.hole_rows)
    assert not torch.equal(first, by_chance.flips)


def test_flips_that_alternate_where_nothing_is_flipped_are_refused() -> None:
    with pytest.raises(UsageError, match="alternating_flip is True, not possible without flip"):
        Recipe(flip=False, alternating_flip=True)


def test_without_changes_the_images_are_only_normalised() -> None:
    images = pictures(4)
    seen = augmented(images, PLAIN, draw_epoch(PLAIN, 1, 4, SIZE, CPU))
    torch.testing.assert_close(seen, normalize(images, SCALE))


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_the_border_is_a_reflection(padding: int) -> None:
    images = pictures(2)
    wide = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    expected = np.pad(images.numpy(), wide, mode="reflect")
    assert np.array_equal(padded(images, padding).numpy(), expected)


def test_a_border_as_large_as_the_image_is_refused() -> None:
    with pytest.raises(UsageError, match="5 pixels cannot be reflected from images of 6x5") as no:
        padded(pictures(1), 5)
    assert no.value.hint == "--crop-padding 4"


def test_every_crop_and_flip_is_what_slicing_gives() -> None:
    padding = 2
    recipe = replace(PLAIN, crop_padding=padding, flip=True)
    choices = list(product(range(5), range(5), range(2)))
    images = pictures(len(choices))
    tops, lefts, flips = (torch.tensor(column) for column in zip(*choices, strict=True))
    draws = replace(
        draw_epoch(recipe, 1, len(images), SIZE, CPU), tops=tops, lefts=lefts, flips=flips
    )
    seen = augmented(images, recipe, draws)
    bordered = padded(images, padding)
    for number, (top, left, is_flipped) in enumerate(choices):
        crop = bordered[number, :, top : top + SIZE[0], left : left + SIZE[1]]
        expected = crop.flip(2) if is_flipped else crop
        torch.testing.assert_close(seen[number], normalize(expected[None], SCALE)[0])


def test_cutout_blanks_a_square_around_its_middle_and_nothing_else() -> None:
    recipe = replace(PLAIN, cutout_size=3)
    draws = replace(
        draw_epoch(recipe, 1, 2, SIZE, CPU),
        hole_rows=torch.tensor([2, 0]), hole_columns=torch.tensor([3, 0]),
    )  # fmt: skip
    images = torch.full((2, 3, *SIZE), 255, dtype=torch.uint8)
    blank = augmented(images, recipe, draws) == 0
    expected = torch.zeros(2, 3, *SIZE, dtype=torch.bool)
    expected[0, :, 1:4, 2:5] = True
    expected[1, :, 0:2, 0:2] = True
    assert torch.equal(blank, expected)


@pytest.mark.parametrize("channels_last", [True, False])
def test_the_memory_format_is_the_recipes(channels_last: bool) -> None:
    recipe = replace(PLAIN, flip=True, channels_last=channels_last)
    seen = augmented(pictures(4), recipe, draw_epoch(recipe, 1, 4, SIZE, CPU))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert seen.is_contiguous(memory_format=layout)
    assert seen.dtype is torch.float32
