from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.values.statistics import (
    effective_count,
    has_trend,
    mean_interval,
    median_interval,
    rank_correlation,
    t_quantile,
)

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


def normal(count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(10.0, 1.0) for _ in range(count)]


def alike(count: int, seed: int, memory: float) -> list[float]:
    chance, level, found = random.Random(seed), 0.0, []
    for _ in range(count):
        level = memory * level + chance.gauss(0.0, 1.0)
        found.append(level)
    return found


def test_t_quantiles_are_those_of_the_tables() -> None:
    assert t_quantile(0.975, 4) == pytest.approx(2.776, abs=1e-3)
    assert t_quantile(0.975, math.inf) == pytest.approx(1.960, abs=1e-3)


def test_the_mean_interval_of_independent_blocks_is_the_textbook_one() -> None:
    point, low, high = mean_interval([1.0, 3.0, 2.0])
    assert point == 2.0
    assert high - point == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert point - low == pytest.approx(high - point)


@pytest.mark.parametrize("memory", [0.0, 0.4])
def test_the_mean_interval_covers_the_truth_even_where_neighbours_resemble(memory: float) -> None:
    held = 0
    for seed in range(300):
        _, low, high = mean_interval(alike(60, seed, memory))
        held += low <= 0.0 <= high
    assert 0.90 <= held / 300 <= 0.985


def test_the_median_interval_covers_the_truth() -> None:
    held = 0
    for seed in range(300):
        _, low, high = median_interval(normal(21, seed))
        held += low <= 10.0 <= high
    assert 0.92 <= held / 300 <= 0.98


def test_one_outlier_moves_the_mean_but_hardly_the_median() -> None:
    values = normal(15, 1)
    values[3] = 1000.0
    assert median_interval(values).point == pytest.approx(10.0, abs=1.0)
    assert median_interval(values).high < 12
    assert mean_interval(values).point > 50


def test_one_value_alone_has_no_finite_interval() -> None:
    assert mean_interval([5.0]) == (5.0, -math.inf, math.inf)
    assert median_interval([5.0]) == (5.0, -math.inf, math.inf)


def test_no_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


def test_weights_weigh() -> None:
    assert mean_interval([1.0, 4.0], weights=[2.0, 1.0]).point == 2.0
    with pytest.raises(ValueError, match="weights"):
        mean_interval([1.0, 4.0], weights=[1.0])


@given(values=VALUES)
def test_points_lie_inside_their_intervals(values: list[float]) -> None:
    for point, low, high in (mean_interval(values), median_interval(values)):
        assert low <= point <= high


@given(values=VALUES)
def test_no_series_counts_for_more_than_its_length(values: list[float]) -> None:
    assert 1 < effective_count(values) <= len(values)


def test_a_trend_is_seen_and_noise_is_not() -> None:
    assert has_trend([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert not has_trend([1.0, 1.0, 1.0, 1.0, 1.0])
    assert not has_trend([1.0, 2.0, 3.0])
    assert sum(has_trend(normal(20, seed)) for seed in range(200)) < 22


def test_ranks_correlate_by_their_order_alone_and_never_with_certainty() -> None:
    rising = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    same = rank_correlation(rising, [math.sqrt(value) for value in rising])
    assert same is not None
    assert same.point == pytest.approx(1)
    assert 0.5 < same.low < 1
    against = rank_correlation(rising, [-value for value in rising])
    assert against is not None
    assert (against.point, against.high) == (pytest.approx(-same.point), pytest.approx(-same.low))


def test_the_interval_of_a_rank_correlation_holds_what_it_should() -> None:
    generator, held = random.Random(1), 0
    for _ in range(400):
        first = [generator.gauss(0, 1) for _ in range(20)]
        second = [value + generator.gauss(0, 1) for value in first]
        found = rank_correlation(first, second)
        assert found is not None
        # Of bivariate normals with r = 1 / sqrt 2: 6 / pi x asin(r / 2), Kendall, 1970.
        held += found.low <= 6 / math.pi * math.asin(1 / math.sqrt(8)) <= found.high
    assert 370 <= held <= 400


def test_what_orders_nothing_correlates_with_nothing() -> None:
    assert rank_correlation([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) is None
    with pytest.raises(ValueError, match="3 and 3 values make no rank correlation"):
        rank_correlation([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
