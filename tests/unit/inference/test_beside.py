"""What is only estimated does not dilute what is measured."""

from __future__ import annotations

from profiler.inference import infer_energies
from profiler.values.estimate import Basis
from profiler.values.trace import Channel, ChannelKind, CounterTrace, Window


def steady(device: str, power_w: float, basis: Basis) -> CounterTrace:
    times_s = tuple(k / 10 for k in range(101))
    return CounterTrace(
        channel=Channel(device=device, kind=ChannelKind.ENERGY, source=device, basis=basis),
        earliest_s=times_s,
        latest_s=tuple(time_s + 0.001 for time_s in times_s),
        energy_j=tuple(power_w * time_s for time_s in times_s),
        epoch=(0,) * 101,
        last_seen_s=10.0,
    )


GPU = steady("gpu:0", 300.0, Basis.MEASURED)
CPU = steady("cpu", 20.0, Basis.ESTIMATED)
WINDOW = Window(name="w", start_s=2.0, end_s=4.0)


def test_an_estimate_stands_beside_a_measured_total() -> None:
    (energy,) = infer_energies([GPU, CPU], [(WINDOW,)], [WINDOW])
    assert energy.energy_j.basis is Basis.MEASURED
    assert abs(energy.energy_j.point - 600) < 3
    assert abs(energy.devices["cpu"].energy_j.point - 40) < 1
    assert "estimate-beside" in {finding.kind for finding in energy.findings}


def test_an_estimate_is_the_total_where_nothing_is_measured() -> None:
    (energy,) = infer_energies([CPU], [(WINDOW,)], [WINDOW])
    assert energy.energy_j.basis is Basis.ESTIMATED
    assert abs(energy.energy_j.point - 40) < 1
