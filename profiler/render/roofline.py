"""The roofline: what each layer reached, under what the device can do at its intensity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiler.values.hardware import FLOPS_A_MAC
from profiler.values.units import show, show_number

from .document import Axis, Chart, Column, Dot, Line, Section, Table

if TYPE_CHECKING:
    from profiler.values.hardware import HardwareBest
    from profiler.values.layer_report import LayerReport


def roofline_of(report: LayerReport) -> Section | None:
    """The section of the device's best; None where the dtype was not calibrated."""
    best = report.hardware
    rate = None if best is None else best.flop_rates.get(report.dtype)
    if best is None or rate is None:
        return None
    dots = _dots(report)
    chart = None if not dots else _chart(best, rate.point, dots)
    return Section(
        title="What the device could do",
        charts=() if chart is None else (chart,),
        tables=best_tables(best),
        notes=(
            "A layer above the roof finds its data in a cache, or needs fewer multiplications than "
            "its MACs say (Winograd, FFT).",
        ),
    )


def _chart(best: HardwareBest, flop_per_s: float, dots: tuple[Dot, ...]) -> Chart:
    """The dots under the roof, in MACs as the table of layers has them."""
    mac_per_s = flop_per_s / FLOPS_A_MAC
    byte_per_s = best.copy_rates[-1].rate.point
    ridge = mac_per_s / byte_per_s
    left = min(*(dot.x for dot in dots), ridge) / 2
    right = max(*(dot.x for dot in dots), ridge) * 2
    roof = ((left, left * byte_per_s), (ridge, mac_per_s), (right, mac_per_s))
    return Chart(
        caption=f"Layers under the roof of {best.device_name}; area: share of the time; "
        f"a MAC is {FLOPS_A_MAC} FLOP",
        x=Axis(label="MACs per byte", unit="MAC/B", is_log=True),
        y=Axis(label="MACs per second", unit="MAC/s", is_log=True),
        dots=dots,
        lines=(Line(label="", points=roof),),
    )


def _dots(report: LayerReport) -> tuple[Dot, ...]:
    """The layers that have a place on it: timed, and with work and traffic that were counted."""
    timed = [
        (row, row.latency_s.point)
        for row in report.layers
        if row.latency_s is not None and row.latency_s.point > 0
    ]
    whole_s = sum(latency_s for _, latency_s in timed)
    return tuple(
        Dot(
            label=row.path,
            x=row.mac_count / row.moved_bytes,
            y=row.mac_count / latency_s,
            share=latency_s / whole_s,
        )
        for row, latency_s in timed
        if row.mac_count and row.moved_bytes
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
