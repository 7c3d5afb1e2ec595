"""What is known of a number beyond its mean: that it lies in a bracket."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm

from profiler.inference.bracket import mean_within


def within(mean: float, deviation: float, low: float, high: float) -> float:
    (found,) = mean_within(
        np.array([mean]), np.array([deviation]), np.array([low]), np.array([high])
    )
    return float(found)


@given(
    mean=st.floats(-30, 30), deviation=st.floats(0.5, 100), low=st.floats(0, 5),
    width=st.floats(0.5, 20),
)  # fmt: skip
def test_the_mean_within_a_bracket_is_that_of_the_truncated_normal_number(
    mean: float, deviation: float, low: float, width: float
) -> None:
    ends = (low - mean) / deviation, (low + width - mean) / deviation
    expected = float(truncnorm.mean(*ends, mean, deviation))
    assert within(mean, deviation, low, low + width) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("mean", "deviation", "low", "high", "expected"),
    [
        (7.0, 0.1, 0.0, 14.0, 7.0),  # no end is near
        (3.0, 0.0, 2.0, 4.0, 3.0),
        (9.0, 0.0, 2.0, 4.0, 4.0),
        (3.0, 1.0, 2.5, 2.5, 2.5),
        (5.0, 1e9, 2.0, 4.0, 3.0),
        (3.0, 1.0, 0.0, math.inf, 3.004438),
    ],
)
def test_what_is_certain_and_what_is_unknown_stay_so(
    mean: float, deviation: float, low: float, high: float, expected: float
) -> None:
    assert within(mean, deviation, low, high) == pytest.approx(expected, rel=1e-6)


def test_hardly_anything_known_is_not_told_as_nothing() -> None:
    assert 0.5 < within(-3.0, 3.0, 0.0, 14.0) < 3.0
