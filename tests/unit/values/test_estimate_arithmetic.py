"""Product, quotient and sum: the arithmetic of every number that is derived from others."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.values.estimate import Basis, Estimate, counted, product, quotient, total, weakest
from tests.unit.values.stored import estimates

POSITIVE = estimates(positive=True)
JOULES = estimates(unit="J")


def measured(point: float, half: float, unit: str = "J") -> Estimate:
    return Estimate(
        point=point, low=point - half, high=point + half, unit=unit, confidence=0.95,
        basis=Basis.MEASURED, source="a test",
    )  # fmt: skip


@given(POSITIVE, POSITIVE)
def test_a_product_holds_its_point_and_is_as_weak_as_its_weaker_part(
    first: Estimate, second: Estimate
) -> None:
    found = product(first, second, unit="J s", source="both")
    assert found.point == pytest.approx(first.point * second.point)
    assert (found.unit, found.source) == ("J s", "both")
    assert found.basis is weakest((first.basis, second.basis))
    assert found.estimated_share == max(first.estimated_share, second.estimated_share)
    assert found == product(second, first, unit="J s", source="both")


@given(POSITIVE, POSITIVE)
def test_an_interval_comes_from_the_parts_that_have_one(first: Estimate, second: Estimate) -> None:
    found = product(first, second, unit="", source="")
    parts = [part for part in (first, second) if part.low is not None]
    if all(part.low == part.high for part in parts) and len(parts) < 2:
        assert (found.low, found.high, found.confidence) == (None, None, None)
        return
    assert found.confidence == min(part.confidence for part in parts if part.confidence)
    for part in parts:
        assert found.low is not None
        assert found.high is not None
        assert part.low is not None
        assert part.high is not None
        # No part's relative interval is narrowed by the other.
        assert found.high / found.point >= part.high / part.point * (1 - 1e-9)
        assert max(found.low / found.point, 0) <= part.low / part.point * (1 + 1e-9) + 1e-9


@given(POSITIVE, st.floats(1e-3, 1e3))
def test_an_exact_factor_scales_both_ends(part: Estimate, factor: float) -> None:
    found = product(part, counted(factor, "", "counted"), unit=part.unit, source=part.source)
    scaled = part.scaled(factor, part.unit)
    assert found.point == pytest.approx(scaled.point)
    assert found.low == pytest.approx(scaled.low)
    assert found.high == pytest.approx(scaled.high)
    assert found.basis is part.basis


@given(POSITIVE, POSITIVE)
def test_a_quotient_holds_its_point_and_both_exact_ends_of_its_divisor(
    first: Estimate, second: Estimate
) -> None:
    found = quotient(first, second, unit="J/s", source="both")
    assert found is not None
    assert found.point == pytest.approx(first.point / second.point)
    assert found.basis is weakest((first.basis, second.basis))
    assert found.unit == "J/s"
    exact = quotient(counted(first.point, "J", ""), second, unit="", source="")
    assert exact is not None
    assert (exact.low is None) == (second.low is None)
    if second.low is not None and second.high is not None:
        assert exact.low == pytest.approx(first.point / second.high, rel=1e-6)
        assert exact.high == pytest.approx(first.point / second.low, rel=1e-6)


@pytest.mark.parametrize("second", [measured(0.0, 1.0), measured(1.0, 1.0), measured(1.0, 2.0)])
def test_nothing_is_divided_by_what_may_be_zero(second: Estimate) -> None:
    assert quotient(measured(1.0, 0.1), second, unit="", source="") is None


@given(st.lists(JOULES, min_size=1, max_size=5))
def test_a_sum_holds_its_point_its_unit_and_the_weakest_basis(parts: list[Estimate]) -> None:
    found = total(parts, source="all")
    assert found is not None
    assert found.point == pytest.approx(math.fsum(part.point for part in parts))
    assert (found.unit, found.source) == ("J", "all")
    assert found.basis is weakest(part.basis for part in parts)
    assert 0 <= found.estimated_share <= 1 + 1e-12
    with_interval = [part for part in parts if part.low is not None]
    if all(part.low == part.high for part in with_interval) and with_interval != parts:
        assert (found.low, found.high, found.confidence) == (None, None, None)
        return
    for part in with_interval:
        if part.low is not None and part.high is not None:
            assert found.high is not None
            assert found.low is not None
            slack = 1e-6 * max(abs(found.point), abs(part.point), 1.0)
            assert found.high - found.point >= part.high - part.point - slack
            assert found.point - found.low >= part.point - part.low - slack


@given(st.lists(JOULES, min_size=1, max_size=5), st.randoms())
def test_the_order_of_the_parts_does_not_matter(
    parts: list[Estimate], chance: random.Random
) -> None:
    shuffled = list(parts)
    chance.shuffle(shuffled)
    one, other = total(parts, source=""), total(shuffled, source="")
    assert one is not None
    assert other is not None
    assert one.point == pytest.approx(other.point)
    assert one.basis is other.basis
    assert one.estimated_share == pytest.approx(other.estimated_share)
    assert one.high == pytest.approx(other.high)


def test_a_sum_says_which_share_of_it_is_estimated() -> None:
    weak = Estimate(
        point=25.0, low=None, high=None, unit="J", confidence=None, basis=Basis.ESTIMATED,
        source="a model",
    )  # fmt: skip
    found = total([measured(75.0, 1.0), weak], source="")
    assert found is not None
    assert found.estimated_share == 0.25
    assert found.basis is Basis.ESTIMATED


def test_no_parts_have_no_sum_and_different_units_are_an_error() -> None:
    assert total([], source="") is None
    with pytest.raises(ValueError, match=r"different units: \['J', 'W'\]"):
        total([measured(1.0, 0.1), measured(1.0, 0.1, "W")], source="")


def test_independent_parts_add_in_quadrature_and_systematic_errors_linearly() -> None:
    first = Estimate(
        point=100.0, low=97.0, high=103.0, unit="J", confidence=0.95, basis=Basis.MEASURED,
        source="", systematic=0.05,
    )  # fmt: skip
    found = total([first, measured(100.0, 4.0)], source="")
    assert found is not None
    assert found.half_width == pytest.approx(5.0)
    assert found.systematic == pytest.approx(0.025)


def test_the_interval_of_a_product_holds_95_in_100_truths() -> None:
    chance = random.Random(0)
    held, count = 0, 4000
    for _ in range(count):
        seen = [measured(truth + chance.gauss(0, half / 1.96), half)
                for truth, half in ((100.0, 3.0), (50.0, 2.0))]  # fmt: skip
        found = product(seen[0], seen[1], unit="", source="")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 5000.0 <= found.high
    # Three standard deviations of a count of 4,000 draws around 0.95.
    assert abs(held / count - 0.95) < 3 * math.sqrt(0.95 * 0.05 / count)
