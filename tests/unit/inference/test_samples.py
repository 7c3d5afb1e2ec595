"""Power samples guard a counter, and move none of its joules."""

from __future__ import annotations

import pytest

from profiler.inference import infer_energies
from profiler.values.trace import CounterTrace, Trace
from tests.bench.scenarios import Load, make, rough
from tests.bench.virtual_recording import A100, H100, record_load


def points_j(load: Load, traces: tuple[Trace, ...]) -> list[float]:
    found = infer_energies(traces, [(window,) for window in load.windows], load.windows)
    return [energy.energy_j.point for energy in found if energy.energy_j is not None]


@pytest.mark.parametrize("sensor", [H100, A100], ids=lambda sensor: sensor.name)
def test_what_a_part_time_sensor_saw_pulls_no_joule_out_of_a_window(sensor) -> None:
    load = make(rough, 3)
    traces = record_load(load, 3, sensor=sensor)
    counter = tuple(trace for trace in traces if isinstance(trace, CounterTrace))
    assert len(counter) < len(traces)
    assert points_j(load, traces) == points_j(load, counter)
    errors = [p / t - 1 for p, t in zip(points_j(load, traces), load.truths_j, strict=True)]
    assert sum(abs(error) for error in errors) / len(errors) < 0.04
