"""Edges that all come late, or all early, make no window too large."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from profiler.inference import infer_counter
from profiler.values.trace import CounterTrace, Window
from tests.bench.scenarios import (
    bursts_30ms,
    launched_with_gaps,
    make,
    short_with_gaps,
    woken_with_gaps,
)
from tests.bench.virtual_recording import H100, RAPL, V100, Nap, Where, record_load
from tests.unit.inference.truth import busy_and_idle, counter_trace
from tests.virtual.power import PowerScript


@pytest.fixture(scope="module")
def work() -> tuple[PowerScript, tuple[Window, ...]]:
    chance = random.Random(3)
    spans = [(chance.uniform(0.05, 0.3), 500.0) for _ in range(12)]
    script, windows = busy_and_idle(spans, [chance.uniform(0.05, 0.4) for _ in spans])
    return script, tuple(replace(window, name="step") for window in windows)


def bias(
    work: tuple[PowerScript, tuple[Window, ...]], start_s: float, end_s: float
) -> tuple[float, float]:
    """Mean relative error, and share held, of windows whose edges lie off the work by so much."""
    script, windows = work
    moved = [
        replace(w, start_s=w.start_s + start_s, end_s=(w.end_s or 0.0) + end_s) for w in windows
    ]
    trace = counter_trace(script, until_s=script.end_s, width_s=2e-4)
    errors, held = [], 0
    for window, found in zip(
        moved, infer_counter(trace, [(w,) for w in moved], moved), strict=True
    ):
        truth_j = script.energy_between_j(window.start_s, window.end_s or 0.0)
        assert found.energy_j is not None
        errors.append(found.energy_j.point / truth_j - 1)
        held += (found.energy_j.low or 0.0) <= truth_j <= (found.energy_j.high or 0.0)
    return sum(errors) / len(errors), held / len(moved)


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(3e-4, 3e-4), (-3e-4, 3e-4), (3e-4, -3e-4), (0.0, 0.0)]
)
def test_a_common_shift_is_found_whichever_way_edges_went(work, start_s, end_s) -> None:
    # Taken at their word these edges make windows too large by 0.15 % or, where each window holds
    # 0.3 ms of idling at both ends, by 0.3 %.
    mean, held = bias(work, start_s, end_s)
    assert mean == pytest.approx(0.0, abs=3e-4)
    assert held >= 0.9


@pytest.mark.parametrize("scenario", [woken_with_gaps, launched_with_gaps])
@pytest.mark.parametrize("sensor", [H100, V100, RAPL], ids=lambda sensor: sensor.name)
def test_windows_of_a_thread_that_wakes_late_are_held(scenario, sensor) -> None:
    load = make(scenario, 5)
    traces = record_load(load, 5, sensor=sensor)
    counter = next(trace for trace in traces if "memory" not in trace.channel.device)
    found = infer_counter(counter, [(w,) for w in load.windows], load.windows)  # type: ignore[arg-type]  # a counter
    held = sum(
        (energy.energy_j.low or 0.0) <= truth_j <= (energy.energy_j.high or 0.0)
        for energy, truth_j in zip(found, load.truths_j, strict=True)
        if energy.energy_j is not None
    )
    assert held / len(load.windows) >= 0.85


def test_reads_that_come_back_late_have_an_interval_that_says_so() -> None:
    # A thread that waits up to 5 ms for its interpreter, each time it has read the counter.
    load, chance = make(short_with_gaps, 5), random.Random(5)
    naps = [Nap(0.0, chance.uniform(0.0, 5e-3), Where.AFTER_VALUE) for _ in range(1000)]
    traces = record_load(load, 5, sensor=RAPL, naps=naps)
    found = infer_counter(traces[0], [(w,) for w in load.windows], load.windows)  # type: ignore[arg-type]  # a counter
    held = sum(
        (energy.energy_j.low or 0.0) <= truth_j <= (energy.energy_j.high or 0.0)
        for energy, truth_j in zip(found, load.truths_j, strict=True)
        if energy.energy_j is not None
    )
    assert held / len(load.windows) >= 0.9


def test_bursts_beside_the_edges_of_a_single_window_are_no_shift() -> None:
    for seed in (91000, 91001, 91002):
        load = make(bursts_30ms, seed)
        traces = record_load(load, seed)
        counter = next(trace for trace in traces if isinstance(trace, CounterTrace))
        (found,) = infer_counter(counter, [load.windows], load.windows)
        assert found.energy_j is not None
        assert found.energy_j.point == pytest.approx(load.truths_j[0], rel=2e-3)
