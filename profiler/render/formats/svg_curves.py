"""Curves on two linear axes as SVG geometry for the HTML template."""

from __future__ import annotations

from dataclasses import dataclass

from profiler.render.document import Curves, Line
from profiler.values.plain_text import clean

from .svg_axis import Frame, LinearAxis, Mark

WIDTH, HEIGHT = 880, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 16, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One curve: its SVG path, its last point, and what a pointer reads."""

    d: str
    end_x: float
    end_y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvesFigure:
    """Curves laid out."""

    frame: Frame
    paths: tuple[Path, ...]


def draw_curves(curves: Curves) -> CurvesFigure:
    """Lay out curves; the first axis begins at 0, the second at what the curves need."""
    xs = [x for line in curves.lines for x, _ in line.points]
    ys = [y for line in curves.lines for _, y in line.points]
    x = LinearAxis.around(0.0, max(xs), LEFT, WIDTH - RIGHT)
    y = LinearAxis.around(min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    frame = Frame(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_marks=_marks(x),
        y_marks=_marks(y),
    )
    return CurvesFigure(frame=frame, paths=tuple(_path(line, x, y) for line in curves.lines))


def _marks(axis: LinearAxis) -> tuple[Mark, ...]:
    return tuple(Mark(at=axis.at(value), text=f"{value:.6g}") for value in axis.values())


def _path(line: Line, x: LinearAxis, y: LinearAxis) -> Path:
    places = [(x.at(first), y.at(second)) for first, second in line.points]
    last_x, last_y = places[-1]
    return Path(
        d="M" + "L".join(f"{across} {down}" for across, down in places),
        end_x=last_x,
        end_y=last_y,
        text=clean(line.label),
    )
