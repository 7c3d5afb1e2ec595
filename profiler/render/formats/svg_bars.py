"""Geometry of the bar plots: plain numbers that the HTML template draws as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass

from profiler.render.document import Bar, Plot
from profiler.values.plain_text import clean
from profiler.values.units import show_number

from .svg_axis import LinearAxis, Mark

WIDTH = 880
_LABEL_WIDTH = 250
_VALUE_WIDTH = 150
_ROW_HEIGHT = 34
_BAR_HEIGHT = 16
_AXIS_HEIGHT = 30
_LONGEST_LABEL = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class BarShape:
    """One bar in the coordinates of its figure; whisker ends are None without an interval."""

    label: str
    full_label: str
    text: str
    basis: str
    y: float
    middle: float
    width: float
    whisker_left: float | None
    whisker_right: float | None
    text_x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BarFigure:
    """Bars laid out."""

    width: int
    height: int
    left: int
    bottom: float
    bar_height: int
    bars: tuple[BarShape, ...]
    ticks: tuple[Mark, ...]


def draw_bars(plot: Plot) -> BarFigure:
    """Lay out bars from 0 on a linear axis that reaches the largest upper end."""
    ends = [bar.high if _is_finite(bar.high) else bar.point for bar in plot.bars]
    largest = max((end for end in ends if end), default=1.0)
    axis = LinearAxis.around(0.0, largest, _LABEL_WIDTH, WIDTH - _VALUE_WIDTH)
    bottom = len(plot.bars) * _ROW_HEIGHT + 6
    ticks = tuple(Mark(at=axis.at(value), text=_tick(value, plot.unit)) for value in axis.values())
    return BarFigure(
        width=WIDTH,
        height=bottom + _AXIS_HEIGHT,
        left=_LABEL_WIDTH,
        bottom=bottom,
        bar_height=_BAR_HEIGHT,
        bars=tuple(_shape(index, bar, axis) for index, bar in enumerate(plot.bars)),
        ticks=ticks,
    )


def _shape(index: int, bar: Bar, axis: LinearAxis) -> BarShape:
    label = clean(bar.label)
    short = label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
    middle = index * _ROW_HEIGHT + _ROW_HEIGHT / 2 + 3
    width = axis.length(max(bar.point, 0.0))
    right = width
    left_whisker = right_whisker = None
    if bar.low is not None and bar.high is not None and _is_finite(bar.high):
        left_whisker = axis.at(max(bar.low, 0.0))
        right_whisker = axis.at(bar.high)
        right = max(width, axis.length(bar.high))
    return BarShape(
        label=short,
        full_label=label,
        text=bar.text,
        basis=bar.basis,
        y=middle - _BAR_HEIGHT / 2,
        middle=middle,
        width=round(max(width, 1.0), 1),
        whisker_left=left_whisker,
        whisker_right=right_whisker,
        text_x=round(_LABEL_WIDTH + right + 10, 1),
    )


def _tick(value: float, unit: str) -> str:
    return "0" if value == 0 else show_number(value, unit)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
