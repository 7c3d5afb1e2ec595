"""The table of sources, and how `--data` is read."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import InputDataError

from .base import ImageSet, Split
from .cifar import open_cifar10, open_cifar100
from .digits import open_digits
from .folder import folder_has, open_folder
from .parquet import open_parquet, parquet_has

IMAGE_SHAPE = (3, 32, 32)
Opener = Callable[[str, Split | None, Path | None], ImageSet]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One value of `--data`.

    Args:
        takes_path: whether it is written NAME:PATH.
        summary: one line for the help.
        open: (path, split, root) to the images; None for noise, which is stored nowhere.
        usual_shape: of one image where neither the model nor the user says it; None for the size
            that the images are stored in.
    """

    summary: str
    open: Opener | None
    takes_path: bool = False
    usual_shape: tuple[int, ...] | None = None


SOURCES: dict[str, Source] = {
    "digits": Source(
        summary="1,797 real images that come with scikit-learn",
        open=open_digits,
        usual_shape=IMAGE_SHAPE,
    ),
    "cifar10": Source(summary="CIFAR-10, downloaded once", open=open_cifar10),
    "cifar100": Source(summary="CIFAR-100, downloaded once", open=open_cifar100),
    "parquet": Source(
        summary="Parquet with columns image and label", open=open_parquet, takes_path=True
    ),
    "folder": Source(summary="image files in a folder", open=open_folder, takes_path=True),
    "synthetic": Source(summary="standard normal noise", open=None, usual_shape=IMAGE_SHAPE),
}


def find_source(spec: str) -> tuple[Source, str]:
    """The source that a spec names, and its path ("" where it takes none).

    Raises:
        InputDataError: there is no source of that name, or a path is missing or not taken.
    """
    name, _, path = spec.partition(":")
    forms = [f"{known}:PATH" if SOURCES[known].takes_path else known for known in SOURCES]
    hint = f"--data takes {', '.join(forms)}"
    if name not in SOURCES:
        close = difflib.get_close_matches(name, SOURCES, n=3, cutoff=0.5)
        nearest = f"; nearest: {', '.join(close)}" if close else ""
        raise InputDataError(f"unknown data '{spec}'{nearest}", hint=hint)
    if SOURCES[name].takes_path and not path:
        raise InputDataError(f"'{spec}' lacks a path", hint=hint)
    if path and not SOURCES[name].takes_path:
        raise InputDataError(f"{name} takes no path, but '{path}' was given", hint=hint)
    return SOURCES[name], path


def open_source(
    spec: str, *, split: Split | None, root: Path | None, label_column: str | None = None
) -> ImageSet:
    """Open a source that holds images.

    Args:
        spec: as `--data` takes it.
        split: None for the images that a measurement draws from.
        root: folder of downloaded data; None for the cache.
        label_column: of Parquet, the column that holds the classes; None for the first known one.

    Raises:
        InputDataError: it is unknown, absent or broken, it is noise, or it has no columns.
    """
    source, path = find_source(spec)
    if source.open is None:
        raise InputDataError(
            f"'{spec}' holds no images, only noise", hint="--data digits needs no download"
        )
    if label_column is None:
        return source.open(path, split, root)
    if source.open is not open_parquet:
        raise InputDataError(
            f"'{spec}' has no columns, and so no '{label_column}'", hint="leave out --label-column"
        )
    return open_parquet(path, split, root, label_column)


def has_split(spec: str, split: Split) -> bool:
    """Whether a source has a split beside the one to train on; asks the disk, decodes nothing."""
    source, path = find_source(spec)
    if source.open is open_folder:
        return folder_has(path, split)
    if source.open is open_parquet:
        return parquet_has(path, split)
    return split != "validation"
