from __future__ import annotations

import math

import pytest

from profiler.errors import SensorError
from profiler.meters.synthetic import SyntheticMeter
from tests.virtual.clock import FakeClock


def test_a_hundred_watts_for_two_seconds_are_two_hundred_joules() -> None:
    clock = FakeClock()
    meter = SyntheticMeter([(10, 100)], clock=clock)
    (counter,) = meter.open()
    clock.advance(2.05)
    assert meter.read(counter) == pytest.approx(200)
    assert meter.energy_between_j(1000, 1002.05) == pytest.approx(205)


def test_steps_are_integrated_exactly_and_the_last_holds() -> None:
    meter = SyntheticMeter([(1, 50), (2, 300), (1, 10)], clock=FakeClock(0))
    assert meter.energy_between_j(0.5, 2) == pytest.approx(25 + 300)
    assert meter.energy_between_j(0, 10) == pytest.approx(50 + 600 + 70)


def test_a_function_is_integrated() -> None:
    meter = SyntheticMeter(lambda s: 100 + 50 * math.sin(2 * math.pi * s), clock=FakeClock(0))
    assert meter.energy_between_j(0, 3) == pytest.approx(300, abs=1e-3)


def test_the_counter_moves_at_its_period_and_phase_only() -> None:
    clock = FakeClock()
    meter = SyntheticMeter([(1, 100)], clock=clock, update_period_s=0.1, phase_s=0.03)
    (counter,) = meter.open()
    values = []
    for _ in range(1000):
        clock.advance(0.001)
        values.append(meter.read(counter))
    moves = [k + 1 for k in range(1, 1000) if values[k] != values[k - 1]]
    assert len(moves) == 10
    assert moves[0] == pytest.approx(30, abs=1)


def test_the_counter_wraps() -> None:
    clock = FakeClock()
    meter = SyntheticMeter([(1, 100)], clock=clock, wrap_j=30)
    (counter,) = meter.open()
    clock.advance(1.001)
    assert meter.read(counter) == pytest.approx(100 % 30)


@pytest.mark.parametrize(
    "options", [{"update_period_s": 0}, {"power_w": []}, {"power_w": [(0, 1)]}]
)
def test_impossible_scripts_are_refused(options: dict) -> None:
    with pytest.raises(SensorError):
        SyntheticMeter(**options)
