from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.comparison.break_even import break_even
from profiler.comparison.pareto import pareto_front
from profiler.comparison.proxy import (
    NOT_THERE,
    REVERSED,
    UNSEEN,
    ProxySample,
    fit_line,
    misordered_pairs,
    rank_correlation,
)
from profiler.comparison.ratio import ratio_of
from profiler.values.estimate import Basis
from tests.sample import measured


def sample(label: str, proxy: float, joules: float, relative: float = 0.01) -> ProxySample:
    return ProxySample(label=label, proxy=proxy, energy_j=measured(joules, relative, "J"))


def ratio(one: ProxySample, other: ProxySample):
    return ratio_of(one.energy_j, other.energy_j)


def test_a_line_is_found_again() -> None:
    macs = (1e6, 5e6, 2e7, 3e8)
    fit = fit_line([sample("m", mac, 0.002 + 3e-11 * mac) for mac in macs], unit="J/MAC")
    assert fit is not None
    assert fit.base_j.point == pytest.approx(0.002)
    assert fit.slope_j.point == pytest.approx(3e-11)
    assert fit.slope_j.unit == "J/MAC"
    assert fit.slope_j.half_width == pytest.approx(0.0, abs=1e-15)


def test_the_interval_of_a_fit_is_that_of_weighted_least_squares() -> None:
    """Against numpy's, whose weights are those of the residuals themselves."""
    import numpy
    from scipy.stats import t

    macs = numpy.array([1e6, 5e6, 2e7, 8e7, 3e8])
    joules = numpy.array([0.003, 0.0021, 0.004, 0.0041, 0.013])
    samples = [sample("m", mac, joule) for mac, joule in zip(macs, joules, strict=True)]
    slope_base, covariance = numpy.polyfit(macs, joules, 1, w=1 / joules, cov=True)
    fit = fit_line(samples, unit="J/MAC")
    assert fit is not None
    assert (fit.slope_j.point, fit.base_j.point) == pytest.approx(tuple(slope_base))
    half = t.ppf(0.975, 3) * numpy.sqrt(numpy.diag(covariance))
    assert (fit.slope_j.half_width, fit.base_j.half_width) == pytest.approx(tuple(half))


def test_too_few_or_one_count_have_no_fit() -> None:
    assert fit_line([sample("a", 1, 1), sample("b", 2, 2)], unit="J") is None
    assert fit_line([sample("a", 1, 1)] * 4, unit="J") is None


def test_the_basis_of_a_fit_is_the_weakest() -> None:
    weak = ProxySample(
        label="w", proxy=3.0, energy_j=measured(3.1, 0.1, "J", basis=Basis.ESTIMATED)
    )
    fit = fit_line([sample("a", 1, 1), sample("b", 2, 2.2), weak], unit="J")
    assert fit is not None
    assert fit.slope_j.basis is Basis.ESTIMATED


@pytest.mark.parametrize("joules", [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [2, 1, 3, 4, 6, 5]])
def test_the_correlation_is_tau_inside_its_interval(joules: list[float]) -> None:
    tau = rank_correlation([sample("m", n, joule) for n, joule in enumerate(joules, 1)])
    assert tau is not None
    pairs = [(a, b) for n, a in enumerate(joules) for b in joules[n + 1 :]]
    assert tau.point == pytest.approx(sum(1 if a < b else -1 for a, b in pairs) / len(pairs))
    assert tau.low is not None
    assert tau.high is not None
    assert -1 <= tau.low <= tau.point <= tau.high <= 1
    assert tau.high - tau.low > 0.1  # six models never prove a perfect order


def test_four_models_have_no_correlation() -> None:
    assert rank_correlation([sample("m", n, n) for n in range(1, 5)]) is None


def test_each_way_in_which_a_count_misjudges_is_named() -> None:
    samples = [
        sample("grouped", 1e6, 2.0),
        sample("dense", 8e6, 1.0),
        sample("int8", 8e6, 0.5),
        sample("dense again", 8e6, 1.0),
        sample("wide", 16e6, 1.0),
    ]
    found = {
        (pair.first.label, pair.second.label): pair.fault
        for pair in misordered_pairs(samples, ratio)
    }
    assert found[("grouped", "dense")] == REVERSED
    assert found[("dense", "int8")] == UNSEEN
    assert found[("dense", "wide")] == NOT_THERE
    assert ("dense", "dense again") not in found
    assert ("int8", "wide") not in found


def test_what_is_not_told_apart_is_no_fault() -> None:
    blurred = [sample("a", 1, 1.0, 0.5), sample("b", 2, 0.9, 0.5)]
    assert misordered_pairs(blurred, ratio) == ()
    assert misordered_pairs([sample("a", 1, 1), sample("b", 2, 0.5)], lambda a, b: None) == ()


POINTS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=20)


@given(POINTS)
def test_nothing_dominates_the_front_and_the_front_dominates_the_rest(points) -> None:
    front = pareto_front(points)
    for index, (cost, worth) in enumerate(points):
        better = [
            other
            for other in points
            if other[0] <= cost and other[1] >= worth and other != (cost, worth)
        ]
        assert (index in front) == (not better)


def test_a_variant_pays_back_after_what_it_cost_over_what_it_saves() -> None:
    spent = measured(1000.0, 0.1, "J")
    paid = break_even(spent, measured(2.0, 0.05, "J"), measured(0.75, 0.02, "x"))
    assert paid.saved_j.point == pytest.approx(0.5)
    assert paid.inference_count is not None
    assert paid.inference_count.point == pytest.approx(2000)
    assert paid.inference_count.low == pytest.approx(900 / (2.1 * 0.265))
    assert paid.inference_count.high == pytest.approx(1100 / (1.9 * 0.235))


def test_a_saving_that_may_be_none_may_never_pay() -> None:
    paid = break_even(measured(10.0, 0.1, "J"), measured(1.0, 0.01, "J"), measured(0.98, 0.05, "x"))
    assert paid.inference_count is not None
    assert paid.inference_count.high == math.inf
    assert 0 < paid.inference_count.low < paid.inference_count.point


def test_what_takes_more_never_pays() -> None:
    paid = break_even(measured(10.0, 0, "J"), measured(1.0, 0, "J"), measured(1.2, 0.01, "x"))
    assert paid.inference_count is None
    assert paid.saved_j.point == pytest.approx(-0.2)
