"""What every source of images looks like, and what may go wrong with a picture."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from profiler.errors import InputDataError
from profiler.interruption import heed_interruption

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image
    from torch import Tensor

Split = Literal["train", "test"]
DEEPEST = 65535
DEEP_STEP = DEEPEST // 255
"""Grey of 16 bits that makes one of 8, so that white stays white."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalization:
    """Mean and standard deviation per channel, of pixels scaled to [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class ImageSet(Protocol):
    """An opened source: it knows how many images it has and decodes the ones asked for."""

    @property
    def description(self) -> str:
        """What it is, for the report ("digits: 1797 images of 8x8, scikit-learn")."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names by label; None where the source has none."""

    @property
    def normalization(self) -> Normalization:
        """What a model expects of these images."""

    def __len__(self) -> int: ...

    def images(self, indices: Sequence[int]) -> list[Tensor]:
        """Decode to uint8 (3, H, W), sizes as stored.

        Raises:
            InputDataError: one of them is no image; it is named.
        """

    def labels(self) -> Tensor | None:
        """Class of every image, int64 (N,); None where the source has none."""


def short_path(place: Path) -> str:
    """The last two names of a path: "cifar10/test.parquet" tells what "test.parquet" does not."""
    return "/".join(place.resolve().parts[1:][-2:]) or "/"


def decode(encoded: bytes, name: str) -> Tensor:
    """One compressed picture to uint8 (3, H, W), turned as its EXIF orientation says.

    Alpha is dropped, grey repeated, 16 bits are scaled to 8.

    Raises:
        InputDataError: it is no image that Pillow can read, or one of floating-point values.
    """
    import numpy as np
    import torch
    from PIL import Image

    try:
        # What Pillow skips in damaged metadata, it warns of.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(io.BytesIO(encoded)) as picture:
                picture.load()
                _turn(picture)
                pixels = np.array(_in_colour(picture, name))
    # Pillow's decoders raise SyntaxError and ValueError as well as OSError on broken files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputDataError(
            f"'{name}' is no image that can be read ({type(error).__name__})",
            hint="remove the file, or replace it by a whole one",
        ) from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _turn(picture: Image.Image) -> None:
    """Turn it upright; one whose EXIF block is damaged stays as it is stored."""
    from PIL import ImageOps

    # Pillow's reader of EXIF raises whatever broken bytes lead it into.
    try:
        ImageOps.exif_transpose(picture, in_place=True)
    except Exception as error:
        heed_interruption(error)


def _in_colour(picture: Image.Image, name: str) -> Image.Image:
    """The picture in RGB. Pillow's own conversion would clip deep greys to white."""
    import numpy as np
    from PIL import Image

    if picture.mode == "F":
        raise InputDataError(
            f"'{name}' holds floating-point values, whose black and white nothing states",
            hint="convert it to 8 or 16 bits",
        )
    if picture.mode.startswith("I"):
        deep = np.asarray(picture).clip(0, DEEPEST)
        picture = Image.fromarray((deep // DEEP_STEP).astype(np.uint8))
    opaque = picture.convert("RGBA") if "transparency" in picture.info else picture
    return opaque.convert("RGB")
