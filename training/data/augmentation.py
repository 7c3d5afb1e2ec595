"""Random crop, flip and cutout of a whole batch at once, on whatever device the pixels are.

Every random number of an epoch is drawn on the CPU before its first step, from (seed, epoch) alone.
So a device, a rank or a resumed run sees the images that any other would have seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from profiler.errors import UsageError
from profiler.inputs.base import Normalization
from training.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """What chance decides in one epoch; every tensor is (N,), by the number of the image.

    Args:
        order: images in the order in which they are seen.
        tops: first row of the crop, 0 to 2 x padding.
        lefts: first column of the crop.
        flips: 1 where the crop is mirrored.
        hole_rows: middle row of the blanked square.
        hole_columns: middle column of it.
    """

    order: Tensor
    tops: Tensor
    lefts: Tensor
    flips: Tensor
    hole_rows: Tensor
    hole_columns: Tensor


def draw_epoch(
    recipe: Recipe, epoch: int, count: int, size: tuple[int, int], device: torch.device
) -> Draws:
    """Draw an epoch of `count` images of (height, width), and bring it to the device."""
    generator = _generator(f"{recipe.seed} {epoch}")

    def draw(choices: int) -> Tensor:
        return torch.randint(choices, (count,), generator=generator).to(device)

    places = 2 * recipe.crop_padding + 1
    draws = Draws(
        order=torch.randperm(count, generator=generator).to(device),
        tops=draw(places),
        lefts=draw(places),
        flips=draw(2),
        hole_rows=draw(size[0]),
        hole_columns=draw(size[1]),
    )
    if not recipe.alternating_flip:
        return draws
    return replace(draws, flips=_alternating_flips(recipe.seed, epoch, count).to(device))


def _alternating_flips(seed: int, epoch: int, count: int) -> Tensor:
    """1 for half of the images, drawn once a run, in odd epochs, and for the other half in even.

    Two epochs show every image both ways, where chance would show half of them twice the same way
    (Jordan, arXiv 2404.00498).
    """
    first = torch.randint(2, (count,), generator=_generator(f"{seed} flips"))
    return (first + epoch + 1) % 2


def _generator(name: str) -> torch.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def padded(images: Tensor, padding: int) -> Tensor:
    """Images with a reflected border (N, 3, H + 2 padding, W + 2 padding), laid out channels last.

    Raises:
        UsageError: the border is as large as the image.
    """
    height, width = images.shape[2:]
    if padding >= min(height, width):
        raise UsageError(
            f"a border of {padding} pixels cannot be reflected from images of {height}x{width}",
            hint=f"--crop-padding {min(4, min(height, width) - 1)}",
        )
    for axis, length in ((2, height), (3, width)):
        places = torch.arange(-padding, length + padding, device=images.device).abs()
        places = torch.where(places >= length, 2 * (length - 1) - places, places)
        images = images.index_select(axis, places)
    return images.contiguous(memory_format=torch.channels_last)


class Augmentation:
    """Turns stored pixels into what the model sees.

    Args:
        recipe: which changes are made.
        size: (height, width) of the images without border.
        normalization: applied to pixels scaled to [0, 1].
        device: where the pixels are.
    """

    def __init__(
        self,
        recipe: Recipe,
        size: tuple[int, int],
        normalization: Normalization,
        device: torch.device,
    ) -> None:
        self._recipe = recipe
        self._size = size
        # (pixel / 255 - mean) / std as one multiply-add; planes as large as an image, because
        # torch's CPU kernels are ten times slower where an axis of 3 is broadcast.
        mean, std = (
            torch.tensor(values, device=device).expand(*size, 3).contiguous()
            for values in (normalization.mean, normalization.std)
        )
        self._scale, self._shift = 1 / (255 * std), -mean / std

    def __call__(self, bordered: Tensor, places: Tensor, draws: Draws, numbers: Tensor) -> Tensor:
        """One batch as fp32 (B, 3, H, W).

        Args:
            bordered: uint8 from `padded`.
            places: (B,) where in `bordered` the images are.
            draws: of the epoch.
            numbers: (B,) which images these are, to look up what was drawn for them.
        """
        pixels = self._cropped(bordered, places, draws.tops[numbers], draws.lefts[numbers])
        if self._recipe.flip:
            count = len(pixels)
            rows = torch.arange(count, device=pixels.device) + count * draws.flips[numbers]
            pixels = torch.cat((pixels, pixels.flip(2))).flatten(1).index_select(0, rows)
            pixels = pixels.view(count, *self._size, 3)
        images = torch.addcmul(self._shift, pixels.float(), self._scale)
        if self._recipe.cutout_size:
            images.masked_fill_(
                self._hole(draws.hole_rows[numbers], draws.hole_columns[numbers]), 0.0
            )
        images = images.permute(0, 3, 1, 2)
        return images if self._recipe.channels_last else images.contiguous()

    def _cropped(self, bordered: Tensor, places: Tensor, tops: Tensor, lefts: Tensor) -> Tensor:
        """(B, H, W, 3): one gather from a view that holds every window of every image."""
        height, width = self._size
        windows = bordered.permute(0, 2, 3, 1).unfold(1, height, 1).unfold(2, width, 1)
        cropped: Tensor = windows.permute(0, 1, 2, 4, 5, 3)[places, tops, lefts]
        return cropped

    def _hole(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(B, H, W, 1): true in a square around each middle, cut off at the edge of the image.

        Normalised pixels of 0 are the mean colour (DeVries and Taylor, arXiv 1708.04552).
        """
        side = self._recipe.cutout_size

        def covered(middles: Tensor, length: int) -> Tensor:
            first = (middles - side // 2)[:, None]
            places = torch.arange(length, device=middles.device)
            return (places >= first) & (places < first + side)

        rows, columns = covered(rows, self._size[0]), covered(columns, self._size[1])
        return (rows[:, :, None] & columns[:, None, :])[..., None]
