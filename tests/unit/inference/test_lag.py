"""A counter that shows the energy of some milliseconds ago is found out, no other is accused."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from profiler.inference import infer_counter
from profiler.inference.energy_counter import LEAST_LAG_S
from profiler.values.estimate import Basis
from profiler.values.trace import CounterTrace, Window
from tests.unit.inference.truth import busy_and_idle, counter_trace
from tests.virtual.power import PowerScript, steps


def busy_script(seed: int, count: int = 12) -> tuple[PowerScript, tuple[Window, ...]]:
    chance = random.Random(seed)
    spans = [(chance.uniform(0.05, 0.3), chance.uniform(200, 700)) for _ in range(count)]
    return busy_and_idle(spans, [chance.uniform(0.05, 0.4) for _ in spans])


def delayed(trace: CounterTrace, lag_s: float) -> CounterTrace:
    """The same energies, shown later."""
    return replace(
        trace,
        earliest_s=tuple(time_s + lag_s for time_s in trace.earliest_s),
        latest_s=tuple(time_s + lag_s for time_s in trace.latest_s),
    )


@pytest.mark.parametrize("lag_s", [0.003, 0.0087, 0.02])
def test_a_lag_is_found_and_taken_back(lag_s: float) -> None:
    script, windows = busy_script(3)
    trace = delayed(counter_trace(script, until_s=script.end_s), lag_s)
    found = infer_counter(trace, [(window,) for window in windows], windows)
    for window, energy in zip(windows, found, strict=True):
        truth_j = script.energy_between_j(window.start_s, window.end_s or 0.0)
        assert energy.energy_j is not None
        assert energy.energy_j.point == pytest.approx(truth_j, rel=0.01)
        assert energy.bracket_j is not None
        assert energy.bracket_j[0] <= truth_j <= energy.bracket_j[1]
        kinds = {finding.kind for finding in energy.findings}
        # A small lag is taken back, but not reported: a load may stray from its windows as much.
        assert ("counter-lags" in kinds) is (lag_s >= LEAST_LAG_S)


@pytest.mark.parametrize("seed", range(4))
def test_an_honest_counter_is_not_said_to_lag(seed: int) -> None:
    script, windows = busy_script(seed)
    trace = counter_trace(script, until_s=script.end_s, seed=seed)
    found = infer_counter(trace, [(window,) for window in windows], windows)
    assert all(f.kind != "counter-lags" for energy in found for f in energy.findings)


def test_work_that_begins_late_in_its_window_is_no_lag() -> None:
    chance, levels, windows, now_s = random.Random(5), [(1.0, 90.0)], [], 1.0
    for index in range(15):
        late_s, busy_s, gap_s = (
            chance.uniform(*r) for r in ((0.005, 0.03), (0.05, 0.3), (0.05, 0.3))
        )
        levels += [(late_s, 90.0), (busy_s, chance.uniform(200, 700)), (gap_s, 90.0)]
        windows.append(Window(name=f"w{index}", start_s=now_s, end_s=now_s + late_s + busy_s))
        now_s += late_s + busy_s + gap_s
    script = steps([*levels, (1.0, 90.0)])
    trace = counter_trace(script, until_s=script.end_s)
    found = infer_counter(trace, [(window,) for window in windows], windows)
    for window, energy in zip(windows, found, strict=True):
        truth_j = script.energy_between_j(window.start_s, window.end_s or 0.0)
        assert energy.energy_j is not None
        assert energy.energy_j.point == pytest.approx(truth_j, rel=0.02)
        assert all(finding.kind != "counter-lags" for finding in energy.findings)


def test_an_estimate_has_no_lag_to_look_for() -> None:
    script, windows = busy_script(3)
    trace = delayed(counter_trace(script, until_s=script.end_s), 0.02)
    modelled = replace(trace, channel=replace(trace.channel, basis=Basis.ESTIMATED))
    found = infer_counter(modelled, [(window,) for window in windows], windows)
    assert all(f.kind != "counter-lags" for energy in found for f in energy.findings)


def test_edges_that_stray_by_fractions_of_a_millisecond_stay_inside_the_interval() -> None:
    script, windows = busy_script(8, count=30)
    chance = random.Random(1)
    strayed = tuple(
        replace(
            window,
            start_s=window.start_s + chance.expovariate(1 / 3e-4),
            end_s=(window.end_s or 0.0) + chance.expovariate(1 / 3e-4),
        )
        for window in windows
    )
    trace = counter_trace(script, until_s=script.end_s)
    found = infer_counter(trace, [(window,) for window in strayed], strayed)
    held = 0
    for window, energy in zip(strayed, found, strict=True):
        truth_j = script.energy_between_j(window.start_s, window.end_s or 0.0)
        assert energy.energy_j is not None
        held += (energy.energy_j.low or 0.0) <= truth_j <= (energy.energy_j.high or 0.0)
    assert held >= 25
