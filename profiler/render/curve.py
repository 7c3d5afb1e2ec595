"""Curves on two linear axes: one quantity against another, as SVG geometry for the template.

Other formats do not draw: what a reader must know stands in a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .document import clean

WIDTH, HEIGHT = 880, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 16, 48
TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: its points in order, at least one, and what a pointer reads."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A tick of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One curve laid out: SVG path, its last point, and what a pointer reads."""

    d: str
    end_x: float
    end_y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """A figure laid out.

    Args:
        caption: what it shows, every basis named.
        x_label: quantity and unit of the axis below.
        y_label: of the axis at the left.
        paths: the curves.
    """

    caption: str
    x_label: str
    y_label: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_marks: tuple[Mark, ...]
    y_marks: tuple[Mark, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    step: float
    count: int
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.step * self.count)
        return round(self.start + share * (self.end - self.start), 1)

    def marks(self) -> tuple[Mark, ...]:
        values = [self.low + index * self.step for index in range(self.count + 1)]
        return tuple(Mark(at=self.at(value), text=f"{value:.6g}") for value in values)


def draw_curves(caption: str, x_label: str, y_label: str, lines: Sequence[Line]) -> Curves:
    """Lay out curves.

    Args:
        caption: of the figure.
        x_label: quantity and unit of the first coordinate.
        y_label: of the second.
        lines: at least one, in the units of the labels.
    """
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x = _axis(0.0, max(xs), LEFT, WIDTH - RIGHT)
    y = _axis(min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    return Curves(
        caption=clean(caption),
        x_label=clean(x_label),
        y_label=clean(y_label),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_marks=x.marks(),
        y_marks=y.marks(),
        paths=tuple(_path(line, x, y) for line in lines),
    )


def _path(line: Line, x: _Axis, y: _Axis) -> Path:
    places = [(x.at(first), y.at(second)) for first, second in line.points]
    last_x, last_y = places[-1]
    return Path(
        d="M" + "L".join(f"{across} {down}" for across, down in places),
        end_x=last_x,
        end_y=last_y,
        text=clean(line.label),
    )


def _axis(low: float, high: float, start: float, end: float) -> _Axis:
    """An axis with round ticks around what it must hold."""
    raw = max(high - low, abs(high) * 1e-6, 1e-9) / TICKS
    order = 10.0 ** math.floor(math.log10(raw))
    step = order * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * order >= raw * 0.999)
    first = math.floor(low / step + 1e-9) * step
    count = max(1, math.ceil((high - first) / step - 1e-9))
    return _Axis(first, step, count, start, end)
