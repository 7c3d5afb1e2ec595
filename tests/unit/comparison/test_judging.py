from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.comparison.judging import verdict_of
from profiler.values.estimate import Basis, Estimate, counted


def ratio(low: float, point: float, high: float) -> Estimate:
    return Estimate(
        point=point, low=low, high=high, unit="x", confidence=0.95, basis=Basis.MEASURED, source="t"
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.5, 0.98, "less"),
        (0.5, 0.995, "no detectable difference"),
        (1.02, 1.2, "more"),
        (0.0, math.inf, "no detectable difference"),
        (0.995, 1.005, "equal within 1 %"),
        (1.002, 1.018, "equal within 2 %"),
        (0.97, 1.01, "equal within 5 %"),
        (0.94, 1.04, "no detectable difference"),
    ],
)
def test_the_word_follows_the_interval(low: float, high: float, verdict: str) -> None:
    point = (low + min(high, low + 1)) / 2
    assert verdict_of(ratio(low, point, high)) == verdict


def test_what_is_exact_is_equal_less_or_more() -> None:
    assert verdict_of(counted(1.0, "x", "t")) == "equal"
    assert verdict_of(counted(0.999, "x", "t")) == "less"
    assert verdict_of(counted(1.001, "x", "t")) == "more"


@given(st.floats(0.01, 100), st.floats(0, 3), st.floats(0, 3))
def test_no_word_contradicts_its_interval(point: float, below: float, above: float) -> None:
    low, high = point * math.exp(-below), point * math.exp(above)
    verdict = verdict_of(ratio(low, point, high))
    if low <= 1 <= high and low < high:
        assert verdict not in ("less", "more", "equal")
    if verdict is not None and verdict.startswith("equal within"):
        margin = float(verdict.split()[2]) / 100
        assert 1 / (1 + margin) <= low <= high <= 1 + margin
