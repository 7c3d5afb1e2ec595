from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.inference import infer_energies
from profiler.inference.excerpt import beside, excerpt
from profiler.values.trace import Channel, ChannelKind, CounterTrace, PowerTrace, Window

PERIOD_S = 0.1
COUNTER = Channel(
    device="gpu:0", kind=ChannelKind.ENERGY, source="counter", update_period_s=PERIOD_S,
    resolution_j=0.001,
)  # fmt: skip


def trace_of(power_w: float, count: int) -> CounterTrace:
    """A counter that moves every 100 ms, each move seen within 2 ms."""
    times_s = [index * PERIOD_S for index in range(count)]
    return CounterTrace(
        channel=COUNTER,
        earliest_s=tuple(time_s - 0.001 for time_s in times_s),
        latest_s=tuple(time_s + 0.001 for time_s in times_s),
        energy_j=tuple(power_w * time_s for time_s in times_s),
        epoch=(0,) * count,
        last_seen_s=times_s[-1],
    )


def window(start_s: float, end_s: float, name: str = "epoch") -> Window:
    return Window(name=name, start_s=start_s, end_s=end_s)


def test_an_hour_shrinks_to_the_moves_beside_its_edges() -> None:
    (short,) = excerpt([trace_of(250, 36_000)], [window(10.03, 3500.07)])
    assert isinstance(short, CounterTrace)
    assert len(short.latest_s) < 150


def test_the_joules_of_the_excerpt_are_those_of_the_whole_trace() -> None:
    full, target = trace_of(250, 900), window(10.03, 70.07)
    (short,) = excerpt([full], [target])
    (whole,) = infer_energies([full], [(target,)], [target])
    (part,) = infer_energies([short], [(target,)], [target])
    assert whole.energy_j is not None
    assert part.energy_j is not None
    assert part.energy_j.point == pytest.approx(250 * 60.04, rel=1e-4)
    assert part.energy_j.point == pytest.approx(whole.energy_j.point, rel=1e-5)
    assert part.energy_j.half_width == pytest.approx(whole.energy_j.half_width, rel=0.1)


def test_a_reset_in_the_middle_stays_visible() -> None:
    full = trace_of(250, 3000)
    reset = replace(full, epoch=(0,) * 1500 + (1,) * 1500)
    (short,) = excerpt([reset], [window(10.0, 280.0)])
    assert isinstance(short, CounterTrace)
    at = short.epoch.index(1)
    assert (short.latest_s[at - 1], short.latest_s[at]) == (
        full.latest_s[1499],
        full.latest_s[1500],
    )


def test_a_short_trace_and_power_samples_stay_as_they_are() -> None:
    power = PowerTrace(
        channel=replace(COUNTER, kind=ChannelKind.POWER), time_s=(1.0, 2.0), power_w=(5.0, 6.0),
        last_seen_s=2.0,
    )  # fmt: skip
    counter = trace_of(250, 30)
    assert excerpt([counter, power], [window(1.0, 2.0)]) == (counter, power)


def test_only_windows_with_an_edge_nearby_are_beside() -> None:
    near, long, far = window(20, 21), window(0, 11), window(40, 50)
    assert beside([near, long, far, window(0, 100)], [window(12, 17)]) == (near, long)
