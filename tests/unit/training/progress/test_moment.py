from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training.progress.watched import estimate, point, progress
from training.progress.live import LEAST_S, Pace, extrapolate
from training.progress.view import Progress


def test_what_is_spent_is_no_longer_left_and_grams_grow_as_joules_do():
    now = extrapolate(progress(2), estimate(300.0, "J"), gone_s=1.5)
    assert now.left_s == pytest.approx(2.5)
    assert now.left_j.point == pytest.approx(100.0)
    assert now.carbon_g.point == pytest.approx(0.03)


def test_more_than_everything_cannot_be_spent():
    late = extrapolate(progress(2), estimate(5000.0, "J"), gone_s=60.0)
    assert (late.left_s, late.left_j.point) == (0.0, 0.0)


def test_without_a_gauge_only_time_goes_on():
    now = extrapolate(progress(2), None, gone_s=1.0)
    assert now.left_s == pytest.approx(3.0)
    assert (now.carbon_g, now.left_j) == (progress(2).carbon_g, progress(2).left_j)


def test_what_is_not_known_stays_unknown():
    bare = Progress(point=replace(point(1), energy_j=None))
    assert extrapolate(bare, estimate(100.0, "J"), gone_s=1.0) == bare


def test_a_steady_pace_tells_what_is_left():
    pace = Pace()
    assert pace.left_s(100.0, 0.1) is None
    assert pace.left_s(110.0, 0.3) == pytest.approx(35.0)


def test_a_young_pace_and_one_without_a_step_tell_nothing():
    pace = Pace()
    pace.left_s(100.0, 0.1)
    assert pace.left_s(100.0 + LEAST_S / 2, 0.5) is None
    assert pace.left_s(200.0, 0.1) is None


@given(st.floats(0.0, 0.9), st.floats(0.001, 0.1), st.floats(LEAST_S, 1e6))
def test_what_is_left_is_never_negative(begun, step, seconds):
    pace = Pace()
    pace.left_s(0.0, begun)
    assert pace.left_s(seconds, begun + step) >= 0
