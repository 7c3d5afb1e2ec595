"""The handwritten digits that come with scikit-learn: real images on every machine, offline.

1,797 grey images of 8x8 with values 0 to 16 (Alpaydin and Kaynak, UCI, 1998), shown as three equal
channels and resized to 32x32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .base import Normalization, Split, fitted

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

SIZE = 32
SPLIT_SEED = 0


class Digits:
    """All digits, or the train (75 %) or test (25 %) part, stratified by class."""

    class_names = tuple(str(digit) for digit in range(10))
    normalization = Normalization(mean=(0.3052,) * 3, std=(0.3236,) * 3)

    def __init__(self, split: Split | None) -> None:
        import numpy as np
        import torch
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        bundled = load_digits()
        chosen = np.arange(len(bundled.target))
        if split is not None:
            parts = train_test_split(
                chosen, test_size=0.25, stratify=bundled.target, random_state=SPLIT_SEED
            )
            chosen = np.sort(parts[0] if split == "train" else parts[1])
        self._grey = torch.from_numpy(bundled.images[chosen]).float() * (255 / 16)
        self._labels = torch.from_numpy(bundled.target[chosen]).long()
        part = f"{split} split, " if split else ""
        self.description = f"digits: {part}{len(chosen)} images of 8x8 (scikit-learn), at 32x32"

    def __len__(self) -> int:
        return len(self._labels)

    def images(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> list[Tensor]:
        from torch.nn.functional import interpolate

        grey = self._grey[list(indices)].unsqueeze(1)
        large = interpolate(grey, size=(SIZE, SIZE), mode="bilinear").round().byte()
        return [fitted(image, size) for image in large.expand(-1, 3, -1, -1).contiguous()]

    def labels(self) -> Tensor:
        return self._labels

    def content(self, index: int) -> bytes:
        return self._grey[index].numpy().tobytes()


def open_digits(path: str, split: Split | None, root: Path | None) -> Digits:
    """The bundled digits, which need neither path nor folder."""
    return Digits(split)
