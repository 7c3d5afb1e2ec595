import math
from dataclasses import replace

import pytest

from profiler.comparison.ratio import ratio_of
from profiler.values.estimate import Basis, Estimate, stated
from tests.sample import measured


def test_a_ratio_is_other_over_base():
    ratio = ratio_of(measured(4.0, 0.0, "J"), measured(2.0, 0.0, "J"))
    assert (ratio.point, ratio.low, ratio.high) == (0.5, 0.5, 0.5)


def test_sides_of_a_ratio_add_in_quadrature_on_the_logarithm():
    base, other = measured(1.0, 0.03, "J"), measured(1.0, 0.04, "J")
    ratio = ratio_of(base, other)
    expected = math.hypot(math.log(1.04), -math.log(1 - 0.03))
    assert math.log(ratio.high) == pytest.approx(expected)


def test_noise_widens_the_interval():
    ratio = ratio_of(measured(1.0, 0.0, "J"), measured(1.0, 0.0, "J"), noise=0.03)
    assert math.log(ratio.high) == pytest.approx(1.96 * 0.03, rel=1e-3)
    assert "taken as 0.03" in ratio.source


def test_intervals_of_another_confidence_are_brought_to_95_percent():
    narrow = replace(measured(1.0, 0.01, "J"), confidence=0.6826894921)
    ratio = ratio_of(measured(1.0, 0.0, "J"), narrow)
    assert math.log(ratio.high) == pytest.approx(1.96 * math.log(1.01), rel=1e-3)


def test_a_sensors_gain_cancels_on_one_machine_and_is_added_between_two():
    energy = measured(1.0, 0.0, "J", systematic=0.05)
    assert ratio_of(energy, energy).high == 1.0
    apart = ratio_of(energy, energy, same_sensor=False)
    assert math.log(apart.high) == pytest.approx(math.sqrt(2) * math.log(1.05))


@pytest.mark.parametrize(("base", "other"), [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0)])
def test_what_has_no_ratio_gets_none(base, other):
    assert ratio_of(measured(base, 0.0, "J"), measured(other, 0.0, "J")) is None


def test_an_interval_that_reaches_zero_makes_the_ratio_open_ended():
    wide = Estimate(
        point=1.0, low=-0.5, high=2.0, unit="J", confidence=0.95,
        basis=Basis.MEASURED, source="test",
    )  # fmt: skip
    assert ratio_of(wide, measured(1.0, 0.0, "J")).high == math.inf
    assert ratio_of(measured(1.0, 0.0, "J"), wide).low == 0.0


def test_a_ratio_is_as_weak_as_its_weaker_part():
    ratio = ratio_of(measured(1.0, 0.01, "J"), stated(1.0, "J", Basis.ESTIMATED, "a model"))
    assert ratio.basis is Basis.ESTIMATED
