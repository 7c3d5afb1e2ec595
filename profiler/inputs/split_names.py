"""How the splits of a data set are called on disk."""

from __future__ import annotations

from .base import Split

SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "valid", "val"),
    "test": ("test",),
}


def names_of(split: Split | None) -> tuple[str, ...]:
    """The names of a split; for None those a measurement draws from, best first."""
    return (
        (*SPLIT_NAMES["test"], *SPLIT_NAMES["validation"]) if split is None else SPLIT_NAMES[split]
    )
