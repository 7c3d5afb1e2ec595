import numpy as np
import pytest

from profiler.layers.joules import replayed_joules, shared_joules
from profiler.layers.replay_power import WHOLE, Powers
from profiler.layers.trimmed_mean import Summary
from profiler.values.estimate import Basis, Estimate


def summary(rows_s: list[float], whole_s: float, half: float = 0.0) -> Summary:
    rows = np.array(rows_s)
    return Summary(
        whole_s=whole_s, whole_half_s=half * whole_s, own_s=rows, rows_s=rows,
        rows_half_s=half * rows, shares_half=half * rows, closure=float(rows.sum()) / whole_s,
        closure_half=half, freedom=1.0,
    )  # fmt: skip


def watts(value: float, half: float = 0.0, basis: Basis = Basis.MEASURED) -> Estimate:
    return Estimate(
        point=value, low=value - half, high=value + half, unit="W", confidence=0.95, basis=basis,
        source="a counter",
    )  # fmt: skip


def powers(by_name: dict[str, Estimate]) -> Powers:
    return Powers(by_name=by_name, findings=(), is_measured=True)


def test_100_w_for_2_s_are_200_j() -> None:
    seen = powers({WHOLE: watts(150.0), "a": watts(100.0), "b": watts(300.0)})
    times = summary([0.0, 2.0, 1.0], 3.0)
    joules = replayed_joules(times, [0, 1, 2], [2, 0, 0], {1: "a", 2: "b"}, seen)
    assert joules.rows_j[1].point == pytest.approx(200.0)
    assert joules.rows_j[2].point == pytest.approx(300.0)
    assert joules.whole_j.point == pytest.approx(450.0)
    assert joules.closure.point == pytest.approx(500 / 450)


def test_two_calls_of_different_work_share_a_row_by_their_seconds() -> None:
    times = Summary(
        whole_s=3.0, whole_half_s=0.0, own_s=np.array([2.0, 1.0]), rows_s=np.array([3.0]),
        rows_half_s=np.array([0.0]), shares_half=np.array([0.0]), closure=1.0, closure_half=0.0,
        freedom=1.0,
    )  # fmt: skip
    seen = powers({WHOLE: watts(200.0), "a": watts(100.0), "b": watts(300.0)})
    joules = replayed_joules(times, [0, 0], [0, 0], {0: "a", 1: "b"}, seen)
    assert joules.rows_j[0].point == pytest.approx(500.0)


def test_work_between_layers_may_draw_anything_that_was_seen_and_is_estimated() -> None:
    seen = powers({WHOLE: watts(150.0), "a": watts(100.0), "b": watts(300.0)})
    joules = replayed_joules(summary([1.0, 2.0], 3.0), [0, 1], [1, 0], {1: "a"}, seen)
    between = joules.rows_j[0]
    assert (between.low, between.point, between.high) == pytest.approx((100.0, 150.0, 300.0))
    assert between.basis is Basis.ESTIMATED
    assert joules.rows_j[1].basis is Basis.MEASURED


def test_a_layer_without_watts_leaves_a_hole_in_the_closure() -> None:
    seen = powers({WHOLE: watts(100.0), "a": watts(100.0)})
    joules = replayed_joules(summary([1.0, 1.0], 2.0), [0, 1], [0, 0], {0: "a"}, seen)
    assert joules.rows_j[1] is None
    assert joules.closure.point == pytest.approx(0.5)


def test_an_error_shared_by_equal_layers_is_added_not_averaged_away() -> None:
    seen = powers({WHOLE: watts(100.0), "a": watts(100.0, half=10.0)})
    times = summary([1.0] * 4, 4.0)
    joules = replayed_joules(times, [0, 1, 2, 3], [0] * 4, dict.fromkeys(range(4), "a"), seen)
    assert joules.closure.half_width == pytest.approx(0.1)


def test_shares_of_the_time_are_estimates_that_close_as_the_time_does() -> None:
    joules = shared_joules(summary([1.0, 2.0], 3.1), [0, 1], powers({WHOLE: watts(100.0)}))
    assert joules.rows_j[1].point == pytest.approx(200.0)
    assert joules.rows_j[1].basis is Basis.ESTIMATED
    assert joules.whole_j.basis is Basis.MEASURED
    assert joules.closure.point == pytest.approx(3.0 / 3.1)


def test_without_a_sensor_there_are_no_joules() -> None:
    joules = shared_joules(summary([1.0], 1.0), [0], powers({}))
    assert joules.rows_j == {0: None}
    assert joules.whole_j is None
    assert joules.closure is None
