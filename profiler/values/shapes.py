"""Shapes of tensors, as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def shapes_in_words(shapes: Iterable[str]) -> str:
    """Shapes of the tensors of one call, equal ones together: "1x1 and 24 of 1x8x32x64"."""
    return " and ".join(
        shape if count == 1 else f"{count} of {shape}" for shape, count in Counter(shapes).items()
    )
