"""What every source of images looks like, and what may go wrong with a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from profiler.errors import InputDataError

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "test"]


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


def decode(encoded: bytes, name: str) -> Tensor:
    """One compressed picture to uint8 (3, H, W), alpha dropped, grey repeated.

    Raises:
        InputDataError: it is no image that Pillow can read.
    """
    import numpy as np
    import torch
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            opaque = picture.convert("RGBA") if "transparency" in picture.info else picture
            pixels = np.array(opaque.convert("RGB"))
    # Pillow's decoders raise SyntaxError and ValueError as well as OSError on broken files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputDataError(
            f"'{name}' is no image that can be read ({type(error).__name__})",
            hint="remove the file, or replace it by a whole one",
        ) from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
