"""CIFAR-10 and CIFAR-100 by torchvision: the one place of this package that uses the network.

The archive is kept in `root`, or else in `$XDG_CACHE_HOME/wattprof/datasets` (by default
`~/.cache/wattprof/datasets`), and downloaded only when it is not there whole.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import InputDataError

from .base import Normalization, Split, fitted

if TYPE_CHECKING:
    from torch import Tensor

ARCHIVES = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
NORMALIZATIONS = {
    "cifar10": Normalization(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    "cifar100": Normalization(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762)),
}


def cache_folder() -> Path:
    """Where downloaded data sets are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wattprof" / "datasets"


class Cifar:
    """The train or test split of one of the two sets; the test split where none is asked for."""

    def __init__(self, name: str, split: Split | None, root: Path | None) -> None:
        import torch

        stored = _load(name, train=split == "train", root=root or cache_folder())
        self.class_names = tuple(stored.classes)
        self.normalization = NORMALIZATIONS[name]
        self._pixels = torch.from_numpy(stored.data).permute(0, 3, 1, 2)
        self._labels = torch.tensor(stored.targets)
        self.description = f"{name}: {split or 'test'} split, {len(stored.targets)} images of 32x32"

    def __len__(self) -> int:
        return len(self._labels)

    def images(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> list[Tensor]:
        return [fitted(image, size) for image in self._pixels[list(indices)].contiguous()]

    def labels(self) -> Tensor:
        return self._labels

    def content(self, index: int) -> bytes:
        return self._pixels[index].numpy().tobytes()


def _load(name: str, *, train: bool, root: Path) -> Any:
    from torchvision import datasets

    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    with contextlib.suppress(RuntimeError):  # torchvision's word for "not there, or not whole"
        return kind(str(root), train=train, download=False)
    try:
        root.mkdir(parents=True, exist_ok=True)
        # torchvision tells of the download on stdout, which belongs to the results.
        with contextlib.redirect_stdout(sys.stderr):
            return kind(str(root), train=train, download=True)
    # URLError, timeouts, full disks and denied folders are OSError; a broken archive RuntimeError.
    except (OSError, RuntimeError, EOFError) as error:
        told = " ".join(str(error).split())
        raise InputDataError(
            f"{name} is not in '{root}' and could not be downloaded ({told})",
            hint=f"put {ARCHIVES[name]} into that folder, or use --data digits",
        ) from error


def open_cifar10(path: str, split: Split | None, root: Path | None) -> Cifar:
    """CIFAR-10, 10 classes."""
    return Cifar("cifar10", split, root)


def open_cifar100(path: str, split: Split | None, root: Path | None) -> Cifar:
    """CIFAR-100, 100 classes."""
    return Cifar("cifar100", split, root)
