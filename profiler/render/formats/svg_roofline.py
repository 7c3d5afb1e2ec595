"""A roofline as SVG geometry: layers as dots under what the device can do, on two log axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from profiler.render.document import Roofline
from profiler.values.plain_text import clean
from profiler.values.units import show_number

from .svg_axis import Frame, LogAxis, Mark

WIDTH, HEIGHT = 880, 380
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 16, 46
LARGEST_RADIUS, SMALLEST_RADIUS = 13.0, 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """One layer: its middle, its radius by share of the time, and what a pointer reads."""

    x: float
    y: float
    radius: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RooflineFigure:
    """A roofline laid out; `roof` is an SVG path."""

    frame: Frame
    roof: str
    circles: tuple[Circle, ...]


def draw_roofline(roofline: Roofline) -> RooflineFigure:
    """Lay out a roofline."""
    peak, memory = roofline.flop_per_s, roofline.byte_per_s
    ridge = peak / memory
    x = LogAxis.around([*(dot.flop_per_byte for dot in roofline.dots), ridge], LEFT, WIDTH - RIGHT)
    y = LogAxis.around([*(dot.flop_per_s for dot in roofline.dots), peak], HEIGHT - BOTTOM, TOP)
    start = max(x.low, y.low / memory)
    frame = Frame(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_marks=tuple(Mark(at=x.at(value), text=f"{value:g}") for value in x.values()),
        y_marks=tuple(
            Mark(at=y.at(value), text=show_number(value, "FLOP/s")) for value in y.values()
        ),
    )
    return RooflineFigure(
        frame=frame,
        roof=f"M{x.at(start)} {y.at(start * memory)}L{x.at(ridge)} {y.at(peak)}"
        f"L{x.at(x.high)} {y.at(peak)}",
        circles=_circles(roofline, x, y),
    )


def _circles(roofline: Roofline, x: LogAxis, y: LogAxis) -> tuple[Circle, ...]:
    longest_s = max(dot.latency_s for dot in roofline.dots)
    return tuple(
        Circle(
            x=x.at(dot.flop_per_byte),
            y=y.at(dot.flop_per_s),
            # The area, not the radius, is the share of the time.
            radius=round(
                max(SMALLEST_RADIUS, LARGEST_RADIUS * math.sqrt(dot.latency_s / longest_s)), 1
            ),
            text=f"{clean(dot.label)}: {show_number(dot.flop_per_s, 'FLOP/s')} at "
            f"{dot.flop_per_byte:.3g} FLOP/B",
        )
        for dot in roofline.dots
    )
