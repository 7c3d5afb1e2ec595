"""Geometry of the bar plots: plain numbers that the HTML template draws as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass

from profiler.units import show_number

from .document import Bar, Plot, clean

WIDTH = 880
_LABEL_WIDTH = 250
_VALUE_WIDTH = 150
_ROW_HEIGHT = 34
_BAR_HEIGHT = 16
_AXIS_HEIGHT = 30
_TICKS = 5
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
class Tick:
    """A mark of the axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A plot laid out."""

    width: int
    height: int
    left: int
    bottom: float
    bar_height: int
    bars: tuple[BarShape, ...]
    ticks: tuple[Tick, ...]


def draw(plot: Plot) -> Figure:
    """Lay out bars from 0 on a linear axis that reaches the largest upper end."""
    ends = [bar.high if _is_finite(bar.high) else bar.point for bar in plot.bars]
    step, count = _axis(max((end for end in ends if end), default=1.0))
    scale = (WIDTH - _LABEL_WIDTH - _VALUE_WIDTH) / (step * count)
    bottom = len(plot.bars) * _ROW_HEIGHT + 6
    ticks = tuple(
        Tick(x=round(_LABEL_WIDTH + index * step * scale, 1), text=_tick(index * step, plot.unit))
        for index in range(count + 1)
    )
    return Figure(
        width=WIDTH,
        height=bottom + _AXIS_HEIGHT,
        left=_LABEL_WIDTH,
        bottom=bottom,
        bar_height=_BAR_HEIGHT,
        bars=tuple(_shape(index, bar, scale) for index, bar in enumerate(plot.bars)),
        ticks=ticks,
    )


def _shape(index: int, bar: Bar, scale: float) -> BarShape:
    label = clean(bar.label)
    short = label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
    middle = index * _ROW_HEIGHT + _ROW_HEIGHT / 2 + 3
    width = max(bar.point, 0.0) * scale
    right = width
    left_whisker = right_whisker = None
    if bar.low is not None and bar.high is not None and _is_finite(bar.high):
        left_whisker = round(_LABEL_WIDTH + max(bar.low, 0.0) * scale, 1)
        right_whisker = round(_LABEL_WIDTH + bar.high * scale, 1)
        right = max(width, bar.high * scale)
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


def _axis(largest: float) -> tuple[float, int]:
    """Step and count of round ticks that reach `largest`."""
    raw = largest / _TICKS
    order = 10.0 ** math.floor(math.log10(raw))
    step = order * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * order >= raw * 0.999)
    return step, max(1, math.ceil(largest / step - 1e-9))


def _tick(value: float, unit: str) -> str:
    return "0" if value == 0 else show_number(value, unit)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
