"""Does the 95 % interval hold the truth in about 95 % of windows of every kind?"""

from __future__ import annotations

import pytest

from profiler.inference import infer_counter, infer_energies
from profiler.values.trace import Window
from tests.bench.scenarios import (
    ALIGNED_KINDS,
    EVERY_KIND,
    back_to_back,
    back_to_back_spaced,
    late_rough,
    loose_edges,
    make,
    rough,
    short_steps,
    steps_4ms_apart,
)
from tests.bench.virtual_recording import H100, RAPL, V100, Nap, Where, record_load
from tests.unit.inference.truth import counter_trace
from tests.virtual.power import constant


@pytest.mark.parametrize("scenario", ALIGNED_KINDS, ids=lambda scenario: scenario.__name__)
def test_errors_stay_within_the_goals(scenario) -> None:
    load = make(scenario, 11)
    trace = counter_trace(load.script, until_s=load.script.end_s)
    found = infer_counter(trace, [(window,) for window in load.windows], load.windows)
    points_j = [energy.energy_j.point for energy in found if energy.energy_j is not None]
    assert len(points_j) == len(found)
    errors = [abs(p / t - 1) for p, t in zip(points_j, load.truths_j, strict=True)]
    assert sum(errors) / len(errors) < 0.05
    assert sum(points_j) == pytest.approx(sum(load.truths_j), rel=0.007)


@pytest.mark.parametrize("scenario", [back_to_back_spaced, steps_4ms_apart, rough, late_rough])
@pytest.mark.parametrize("sensor", [H100, V100, RAPL], ids=lambda sensor: sensor.name)
def test_gaps_in_which_the_load_goes_on_and_rough_windows_are_held(scenario, sensor) -> None:
    held = count = 0
    for seed in (21,):
        load = make(scenario, seed)
        traces = record_load(load, seed, sensor=sensor)
        found = infer_energies(traces, [(window,) for window in load.windows], load.windows)
        for energy, truth_j in zip(found, load.truths_j, strict=True):
            assert energy.energy_j is not None
            held += (energy.energy_j.low or 0) <= truth_j <= (energy.energy_j.high or 0)
            count += 1
    assert held / count >= 0.85


def test_the_interval_holds_the_truth_in_95_percent_of_windows() -> None:
    held = count = 0
    for scenario in EVERY_KIND:
        for seed in (1, 2):
            load = make(scenario, seed)
            trace = counter_trace(load.script, until_s=load.script.end_s, seed=seed)
            found = infer_counter(trace, [(window,) for window in load.windows], load.windows)
            for energy, truth_j in zip(found, load.truths_j, strict=True):
                assert energy.bracket_j is not None
                assert energy.bracket_j[0] <= truth_j + 1e-9
                assert truth_j <= energy.bracket_j[1] + 1e-9
                assert energy.energy_j is not None
                held += (energy.energy_j.low or 0) <= truth_j <= (energy.energy_j.high or 0)
                count += 1
    assert count > 300
    assert held / count >= 0.92


@pytest.mark.parametrize(
    ("scenario", "sensor", "seed"),
    [(rough, V100, 310001), (back_to_back, H100, 31), (short_steps, RAPL, 31)],
    ids=("rough-V100", "back_to_back-H100", "short_steps-RAPL"),
)
def test_a_thread_that_is_not_run_for_a_while_makes_no_number_wrong(scenario, sensor, seed) -> None:
    load = make(scenario, seed)
    # Once it is put aside in a read, when it has the value already: that is older than it looks.
    naps = [Nap(4.1348, 0.0959, Where.BEFORE_VALUE), Nap(7.6894, 0.1156, Where.AFTER_VALUE)]
    naps += [Nap(1.5, 0.3, Where.AFTER_VALUE), Nap(2.5, 0.5, Where.BETWEEN)] if seed == 31 else []
    traces = record_load(load, seed, sensor=sensor, naps=naps)
    found = infer_energies(traces, [(window,) for window in load.windows], load.windows)
    for energy, truth_j in zip(found, load.truths_j, strict=True):
        (device,) = (e for name, e in energy.devices.items() if "memory" not in name)
        assert device.energy_j is not None
        assert device.bracket_j is not None
        assert device.bracket_j[0] - 1e-6 <= truth_j <= device.bracket_j[1] + 1e-6
        low_j, high_j = device.energy_j.low or 0.0, device.energy_j.high or 0.0
        # Not once by more than three times what was said.
        assert abs(device.energy_j.point - truth_j) <= 3 * (high_j - low_j) / 2


def test_work_that_strays_from_its_edges_biases_no_sum() -> None:
    load = make(loose_edges, 11)
    trace = counter_trace(load.script, until_s=load.script.end_s)
    found = infer_counter(trace, [(window,) for window in load.windows], load.windows)
    points_j = [energy.energy_j.point for energy in found if energy.energy_j is not None]
    assert sum(points_j) == pytest.approx(sum(load.truths_j), rel=0.005)


@pytest.mark.parametrize("phase_s", [0.017, 0.037, 0.057, 0.077])
def test_a_single_window_that_outlives_its_work_has_an_interval_that_says_so(
    phase_s: float,
) -> None:
    script = constant(90.0, 1.0) + constant(316.0, 5.0) + constant(90.0, 0.12)
    window = Window(name="w", start_s=1.0, end_s=6.1)
    trace = counter_trace(script, until_s=6.12, phase_s=phase_s)
    energy_j = infer_counter(trace, [(window,)], [window])[0].energy_j
    assert energy_j is not None
    truth_j = script.energy_between_j(1.0, 6.1)
    assert (energy_j.low or 0.0) <= truth_j <= (energy_j.high or 0.0)
