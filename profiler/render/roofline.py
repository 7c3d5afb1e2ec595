"""The roofline: what each layer reached, under what the device can do at its arithmetic intensity.

Geometry in plain numbers, which the HTML template draws as SVG; other formats print the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.hardware import FLOPS_A_MAC
from profiler.units import show, show_number

from .curve import Mark
from .document import Column, Section, Table, clean

if TYPE_CHECKING:
    from profiler.hardware import HardwareBest
    from profiler.layers import LayerReport

WIDTH, HEIGHT = 880, 380
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 16, 46
LARGEST_RADIUS, SMALLEST_RADIUS = 13.0, 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One layer: its middle, its radius by share of the time, and what a pointer reads."""

    x: float
    y: float
    radius: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """A log-log plot, laid out.

    Args:
        caption: what it shows.
        roof: SVG path of the roof.
        x_marks: ticks of FLOP per byte; y_marks: of FLOP/s.
    """

    caption: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    roof: str
    x_marks: tuple[Mark, ...]
    y_marks: tuple[Mark, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    """A logarithmic axis between two powers of ten."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        span = math.log10(self.high / self.low)
        share = math.log10(min(max(value, self.low), self.high) / self.low) / span
        return round(self.start + share * (self.end - self.start), 1)

    def decades(self) -> list[float]:
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0**exponent for exponent in range(first, last + 1)]


def roofline_of(report: LayerReport) -> Section | None:
    """The section of the device's best; None where the dtype was not calibrated."""
    best = report.hardware
    rate = None if best is None else best.flop_rates.get(report.dtype)
    if best is None or rate is None:
        return None
    drawn = _draw(report, best, rate.point)
    return Section(
        title="What the device could do",
        rooflines=() if drawn is None else (drawn,),
        tables=best_tables(best),
        notes=(
            "A layer above the roof finds its data in a cache, or needs fewer multiplications than "
            "its MACs say (Winograd, FFT).",
        ),
    )


def best_tables(best: HardwareBest) -> tuple[Table, ...]:
    """What the calibration of a device gave."""
    rows = [
        (f"matrix products, {dtype}", show_number(rate.point, "FLOP/s"))
        for dtype, rate in best.flop_rates.items()
    ]
    rows += [
        (f"copy over {show_number(item.footprint_bytes, 'B')}", show_number(item.rate.point, "B/s"))
        for item in best.copy_rates
    ]
    rows.append(("a call with nothing to do", show_number(best.empty_call_s.point, "s")))
    rows += [
        (f"joules of a FLOP, {dtype}", show(energy))
        for dtype, energy in best.flop_energies_j.items()
    ]
    if best.byte_energy_j is not None:
        rows.append(("joules of a byte of memory", show(best.byte_energy_j)))
    if best.idle_power_w is not None:
        rows.append(("idle", show(best.idle_power_w)))
    caption = f"Best of {best.device_name}, {best.threads} thread(s), measured {best.created_utc}"
    columns = (Column(label="what"), Column(label="best", role="number"))
    return (Table(caption=caption, columns=columns, rows=tuple(rows)),)


def _draw(report: LayerReport, best: HardwareBest, peak: float) -> Roofline | None:
    rows = [
        (row, row.latency_s.point)
        for row in report.layers
        if row.latency_s is not None
        and row.latency_s.point > 0
        and row.mac_count
        and row.moved_bytes
    ]
    if not rows:
        return None
    memory = best.copy_rates[-1].rate.point
    points = [
        (FLOPS_A_MAC * row.mac_count / row.moved_bytes, FLOPS_A_MAC * row.mac_count / seconds)
        for row, seconds in rows
    ]
    ridge = peak / memory
    x = _axis([*(point[0] for point in points), ridge], LEFT, WIDTH - RIGHT)
    y = _axis([*(point[1] for point in points), peak], HEIGHT - BOTTOM, TOP)
    longest = max(seconds for _, seconds in rows)
    start = max(x.low, y.low / memory)
    roof = (
        f"M{x.at(start)} {y.at(start * memory)}L{x.at(ridge)} {y.at(peak)}L{x.at(x.high)} "
        f"{y.at(peak)}"
    )
    dots = tuple(
        Dot(
            x=x.at(intensity),
            y=y.at(speed),
            radius=round(max(SMALLEST_RADIUS, LARGEST_RADIUS * math.sqrt(seconds / longest)), 1),
            text=f"{clean(row.path)} ({clean(row.kind)}): {show_number(speed, 'FLOP/s')} at "
            f"{intensity:.3g} FLOP/B",
        )
        for (row, seconds), (intensity, speed) in zip(rows, points, strict=True)
    )
    return Roofline(
        caption=f"Layers under the roof of {clean(best.device_name)}; area: share of the time",
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        roof=roof,
        x_marks=tuple(Mark(at=x.at(value), text=f"{value:g}") for value in x.decades()),
        y_marks=tuple(
            Mark(at=y.at(value), text=show_number(value, "FLOP/s")) for value in y.decades()
        ),
        dots=dots,
    )


def _axis(values: list[float], start: float, end: float) -> _Axis:
    low = 10.0 ** math.floor(math.log10(min(values)))
    high = 10.0 ** math.ceil(math.log10(max(values) * 1.05))
    return _Axis(low, max(high, 10 * low), start, end)
