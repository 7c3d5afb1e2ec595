"""How the sensors of a device follow a load, as tables and words."""

from __future__ import annotations

from profiler.values.sensor_response import SensorResponse
from profiler.values.units import show, show_number

from .document import Column, Section, Table


def response_section(response: SensorResponse) -> Section:
    """What a load showed of them."""
    rows = [
        ("power of the counter, idle between loads", show(response.idle_w)),
        ("power of the counter, loaded", show(response.loaded_w)),
        ("swing of the counter's power with the phase", show(response.counter_swing)),
    ]
    if response.power_swing is not None:
        rows.append(("swing of the instant power with the phase", show(response.power_swing)))
    if response.counter_look_s is not None:
        rows.append(("the counter looks for", show(response.counter_look_s)))
    rows += [(f"{name} is late by", show(delay)) for name, delay in response.delays_s.items()]
    caption = f"Readings under a known load: {response.load}"
    columns = (Column(label="what"), Column(label="seen", role="number"))
    burst, period = show_number(response.burst_s, "s"), show_number(response.burst_period_s, "s")
    return Section(
        title="How the sensors follow a load",
        paragraphs=(_verdict(response),),
        tables=(Table(caption=caption, columns=columns, rows=tuple(rows)),),
        notes=(
            f"swing: bursts of {burst} every {period} come at every phase of the counter's period "
            "in turn; 1 is the whole way between idle and loaded.",
        ),
    )


def _verdict(response: SensorResponse) -> str:
    period = show_number(response.period_s, "s")
    if response.is_part_time is None:
        return f"Whether the energy counter sees all of each {period} is open."
    if not response.is_part_time:
        return f"The energy counter sees all of each {period}."
    return (
        f"The energy counter looks at a part of each {period} only: loads that repeat with that "
        "period may read too high or too low. Windows at random times even that out."
    )
