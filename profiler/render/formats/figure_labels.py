"""Names beside dots, where one finds room: the first of four corners that is free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LETTER, _LINE, _GAP = 7.2, 14.0, 7.0
"""Mean width of a letter at 12 px, its height, and the distance to the dot, in pixels."""


@dataclass(frozen=True, slots=True)
class Label:
    """Where a name stands, in pixels from the top left of the frame; `x` is its left end."""

    index: int
    text: str
    x: float
    y: float


Box = tuple[float, float, float, float]


def place_labels(
    texts: Sequence[str], spots: Sequence[tuple[float, float]], width: float, height: float
) -> list[Label]:
    """The names that can be written without touching another one or a dot, in the order given.

    Args:
        texts: the most important first, shape (n,).
        spots: the dots, in pixels from the top left, shape (n, 2).
        width: of the frame.
        height: of the frame.
    """
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in spots]
    placed = []
    for index, (text, (x, y)) in enumerate(zip(texts, spots, strict=True)):
        size = _LETTER * len(text)
        corners = (
            (x + _GAP, y - _LINE),
            (x - _GAP - size, y - _LINE),
            (x + _GAP, y + _LINE),
            (x - _GAP - size, y + _LINE),
        )
        for left, middle in corners:
            box = (left, middle - _LINE / 2, left + size, middle + _LINE / 2)
            inside = box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height
            others = (other for number, other in enumerate(taken) if number != index)
            if inside and not any(_touch(box, other) for other in others):
                taken.append(box)
                placed.append(Label(index, text, left, middle))
                break
    return placed


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
