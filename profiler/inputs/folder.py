"""Image files in a folder: flat, or one subfolder a class, with or without splits above them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import InputDataError

from .base import IMAGENET, Split, decode, short_path

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val", "validation")}


class FolderImages:
    """Pictures directly in the folder have no label; those in a subfolder have its name."""

    normalization = IMAGENET

    def __init__(self, folder: Path) -> None:
        flat = _pictures(folder)
        classes = sorted(entry for entry in _visible(folder) if entry.is_dir())
        nested = [(entry.name, _pictures(entry)) for entry in classes]
        nested = [(name, files) for name, files in nested if files]
        if flat and nested:
            raise InputDataError(
                f"'{folder}' holds images beside the class folder '{nested[0][0]}'",
                hint="keep either images alone, or one subfolder a class",
            )
        self.class_names = tuple(name for name, _ in nested) or None
        self._files = flat or [file for _, files in nested for file in files]
        self._targets = [index for index, (_, files) in enumerate(nested) for _ in files]
        if not self._files:
            raise InputDataError(
                f"'{folder}' holds no images",
                hint=f"image files end in {', '.join(sorted(SUFFIXES))}",
            )
        kind = f" in {len(nested)} classes" if nested else ""
        self.description = f"folder: {len(self._files)} images{kind} in {short_path(folder)}"

    def __len__(self) -> int:
        return len(self._files)

    def images(self, indices: Sequence[int]) -> list[Tensor]:
        return [decode(_content(self._files[index]), str(self._files[index])) for index in indices]

    def labels(self) -> Tensor | None:
        import torch

        return torch.tensor(self._targets) if self._targets else None


def _visible(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise InputDataError(f"'{folder}' cannot be read: {error.strerror}") from error


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        entry for entry in _visible(folder) if entry.suffix.lower() in SUFFIXES and entry.is_file()
    )


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputDataError(f"'{file}' cannot be read: {error.strerror}") from error


def open_folder(path: str, split: Split | None, root: Path | None) -> FolderImages:
    """A folder of images; with `train` and `test` (or `val`) below it, the one asked for.

    Raises:
        InputDataError: it is not there, holds no images, or lacks the split.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputDataError(f"'{folder}' {problem}", hint="--data folder:PATH names a folder")
    for name in SPLIT_FOLDERS[split or "test"]:
        if (folder / name).is_dir():
            return FolderImages(folder / name)
    if split is not None:
        wanted = " or ".join(SPLIT_FOLDERS[split])
        raise InputDataError(f"'{folder}' has no {split} split", hint=f"put it into {wanted}")
    return FolderImages(folder)
