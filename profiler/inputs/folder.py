"""Image files in a folder: flat, or one subfolder a class, with or without splits above them.

DIR/train/cat/...   DIR/val/cat/...   DIR/test/cat/...     the splits, as they are
DIR/cat/...         DIR/dog/...                            one part of each class is the test
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import InputDataError
from profiler.values.plain_text import clean

from .base import IMAGENET, Split, decode, short_path
from .holdout import held_out
from .split_names import SPLIT_NAMES, names_of

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = frozenset(
    {
        ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
        ".tif", ".tiff", ".webp",
    }
)  # fmt: skip
LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
"""What file managers and archivers leave beside pictures, in lower case."""
TEST_SHARE = 0.2
TEST_SEED = 0


class FolderImages:
    """Pictures directly in the folder have no label; those below a subfolder have its name.

    Args:
        folder: where they are.
        part: "train" or "test", of a folder that has no splits; None for all that is there.

    Raises:
        InputDataError: it holds no images, images beside class folders, or two folders of the same
            name in other normal forms; of a part, a class of one image.
    """

    normalization = IMAGENET

    def __init__(self, folder: Path, part: Split | None = None) -> None:
        flat, ignored = _sorted_out(entry for entry in visible(folder) if not entry.is_dir())
        classes, empty, ignored_below = _class_folders(folder)
        ignored += ignored_below
        if flat and classes:
            raise InputDataError(
                f"'{folder}' holds images beside the class folder '{next(iter(classes))}'",
                hint="keep either images alone, or one subfolder a class",
            )
        self.class_names = tuple(classes) or None
        self._files = flat or [file for files in classes.values() for file in files]
        self._targets = [label for label, files in enumerate(classes.values()) for _ in files]
        if not self._files:
            raise InputDataError(
                f"'{folder}' holds no images{_left_out(ignored, empty)}",
                hint=f"image files end in {', '.join(sorted(SUFFIXES))}",
            )
        share = self._keep(part) if part is not None and classes else ""
        kind = f" in {len(classes)} classes" if classes else ""
        self.description = (
            f"folder: {share}{len(self._files)} images{kind} in {clean(short_path(folder))}"
            f"{_left_out(ignored, empty)}"
        )

    def _keep(self, part: Split) -> str:
        """Keep one of the two parts; what it is, for the description."""
        import torch

        is_test = held_out(
            torch.tensor(self._targets), TEST_SHARE, TEST_SEED, self.class_names
        ).tolist()
        kept = [index for index, test in enumerate(is_test) if test == (part == "test")]
        self._files = [self._files[index] for index in kept]
        self._targets = [self._targets[index] for index in kept]
        share = TEST_SHARE if part == "test" else 1 - TEST_SHARE
        return f"{part} part, {share:.0%} of each class drawn with seed {TEST_SEED}, "

    def __len__(self) -> int:
        return len(self._files)

    def images(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> list[Tensor]:
        return [decode(self.content(index), str(self._files[index]), size) for index in indices]

    def labels(self) -> Tensor | None:
        import torch

        return torch.tensor(self._targets) if self._targets else None

    def content(self, index: int) -> bytes:
        file = self._files[index]
        try:
            return file.read_bytes()
        except OSError as error:
            raise InputDataError(f"'{file}' cannot be read: {error.strerror}") from error


def readable(name: str) -> str:
    """A file's name as text that every program can store: composed, and stray bytes written out."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", text)


def visible(folder: Path) -> list[Path]:
    """What is in a folder but hidden files and litter, by name."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise InputDataError(f"'{folder}' cannot be read: {error.strerror}") from error
    shown = (entry for entry in entries if not entry.name.startswith("."))
    return sorted(
        (entry for entry in shown if entry.name.lower() not in LITTER),
        key=lambda entry: (readable(entry.name), entry.name),
    )


def find_pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """Image files at any depth, in the order of their names, and the files that are none."""
    return _sorted_out(_below(folder, frozenset()))


def _below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Every file below a folder; a link back up is not followed."""
    real = folder.resolve()
    if real in above:
        return
    entries = visible(folder)
    yield from (entry for entry in entries if not entry.is_dir())
    for entry in entries:
        if entry.is_dir():
            yield from _below(entry, above | {real})


def _sorted_out(files: Iterator[Path]) -> tuple[list[Path], list[Path]]:
    pictures: list[Path] = []
    others: list[Path] = []
    for file in files:
        # A link to nowhere is no file.
        is_picture = file.suffix.lower() in SUFFIXES and file.is_file()
        (pictures if is_picture else others).append(file)
    return pictures, others


def _class_folders(folder: Path) -> tuple[dict[str, list[Path]], list[str], list[Path]]:
    """The pictures of each class by name, the names of empty folders, and what is no picture."""
    classes: dict[str, list[Path]] = {}
    empty: list[str] = []
    ignored: list[Path] = []
    for entry in visible(folder):
        if not entry.is_dir():
            continue
        name = readable(entry.name)
        if name in classes:
            raise InputDataError(
                f"'{folder}' holds two class folders called '{clean(name)}', which differ in the "
                "form of their letters alone",
                hint="move the images of both into one",
            )
        pictures, others = find_pictures(entry)
        ignored += others
        if pictures:
            classes[name] = pictures
        else:
            empty.append(name)
    return classes, empty, ignored


def _left_out(ignored: Sequence[Path], empty: Sequence[str]) -> str:
    """Words for what was passed over; "" for nothing."""
    told = ""
    if ignored:
        count = "1 file" if len(ignored) == 1 else f"{len(ignored)} files"
        told += f", {count} ignored, such as {clean(readable(ignored[0].name))}"
    if empty:
        several = "folders" if len(empty) > 1 else "folder"
        told += f", class {several} without images: {clean(', '.join(empty[:3]))}"
        told += f" and {len(empty) - 3} more" if len(empty) > 3 else ""
    return told


def folder_has(path: str, split: Split) -> bool:
    """Whether a folder has a split, stored or to be drawn; asks the disk, decodes nothing."""
    folder = Path(path).expanduser()
    return _stored(folder, split) is not None or (split == "test" and not _has_splits(folder))


def _stored(folder: Path, split: Split | None) -> Path | None:
    places = (folder / name for name in names_of(split))
    return next((place for place in places if place.is_dir()), None)


def _has_splits(folder: Path) -> bool:
    return any(_stored(folder, split) is not None for split in SPLIT_NAMES)


def open_folder(path: str, split: Split | None, root: Path | None) -> FolderImages:
    """A folder of images, or the split of it that is asked for.

    Raises:
        InputDataError: it is not there, holds no images, or lacks the split.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputDataError(f"'{folder}' {problem}", hint="--data folder:PATH names a folder")
    stored = _stored(folder, split)
    if stored is not None:
        return FolderImages(stored)
    if split is None:
        return FolderImages(folder)
    if split == "validation" or _has_splits(folder):
        wanted = " or ".join(names_of(split))
        raise InputDataError(f"'{folder}' has no {split} split", hint=f"put it into {wanted}")
    return FolderImages(folder, split)
