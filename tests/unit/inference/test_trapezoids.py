from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.inference import integrate_power
from profiler.values.trace import Window
from tests.unit.inference.truth import POWER, power_trace
from tests.virtual.power import constant, ramp, square_noise

WINDOW = Window(name="w", start_s=1.0, end_s=3.0)


def one(trace, window: Window = WINDOW):
    return integrate_power(trace, [(window,)], [window])[0]


def test_a_hundred_watts_for_two_seconds_are_200_joules() -> None:
    energy = one(power_trace(constant(100.0), until_s=4.0))
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(200.0)
    assert energy.bracket_j is None


def test_a_ramp_is_integrated_exactly_by_trapezoids() -> None:
    energy = one(power_trace(ramp(0.0, 400.0, 4.0), until_s=4.0)).energy_j
    assert energy is not None
    assert energy.point == pytest.approx(400.0)


def test_noise_faster_than_the_samples_is_inside_the_interval() -> None:
    held = 0
    for seed in range(40):
        script = square_noise(mean_w=300, spread_w=200, piece_s=0.03, duration_s=4.0, seed=seed)
        energy = one(power_trace(script, until_s=4.0, step_s=0.1)).energy_j
        assert energy is not None
        assert energy.low is not None
        assert energy.high is not None
        held += energy.low <= script.energy_between_j(1.0, 3.0) <= energy.high
    assert held >= 36


def test_power_stuck_at_zero_is_no_energy_of_zero() -> None:
    energy = one(power_trace(constant(0.0), until_s=4.0))
    assert energy.energy_j is None
    assert energy.findings[0].kind == "power-stuck-at-zero"


def test_samples_that_end_midway_give_no_number() -> None:
    energy = one(power_trace(constant(100.0), until_s=4.0), Window(name="w", start_s=1, end_s=9))
    assert energy.energy_j is None
    assert energy.findings[0].kind == "sensor-lost"


def test_what_no_sample_has_told_yet_may_be_anything_that_was_seen() -> None:
    trace = power_trace(constant(90.0, 3.9) + constant(700.0, 1.0), until_s=4.0)
    truth_j = 700.0 * 0.1 + 700.0 * 0.03
    begun = one(trace, Window(name="w", start_s=3.9, end_s=4.03)).energy_j
    assert begun is not None
    assert (begun.low or 0.0) <= truth_j <= (begun.high or 0.0)
    assert (begun.half_width or 0.0) >= 700.0 * 0.03
    later = one(trace, Window(name="w", start_s=3.99, end_s=4.09))
    assert later.energy_j is None
    assert later.findings[0].kind == "not-closed-yet"


def test_no_samples_give_no_number() -> None:
    empty = replace(power_trace(constant(1.0), until_s=1.0), time_s=(), power_w=())
    assert one(empty).energy_j is None


def test_a_reading_stands_for_the_middle_of_what_it_averages() -> None:
    averaged = replace(POWER, averaging_s=1.0)
    exact = power_trace(ramp(0.0, 800.0, 8.0), until_s=8.0, channel=averaged)
    # The mean of the second before t on a ramp is the value half a second before t.
    late = replace(exact, power_w=tuple(max(0.0, 100.0 * (t - 0.5)) for t in exact.time_s))
    energy = one(late, Window(name="w", start_s=3.0, end_s=5.0)).energy_j
    assert energy is not None
    assert energy.point == pytest.approx(800.0, rel=1e-3)
