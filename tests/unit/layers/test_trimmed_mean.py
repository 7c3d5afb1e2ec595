import numpy as np
import pytest

from profiler.layers.stamps import StampCost
from profiler.layers.structure import structure_of
from profiler.layers.trimmed_mean import summarize
from tests.unit.layers.samples import surveyed


def rounds(count: int, seed: int, spike_share: float = 0.0) -> tuple[list, list]:
    """Three calls of 1, 2 and 3 ms that jitter by 2 %; at times something else takes 5 ms."""
    draw = np.random.default_rng(seed)
    whole_s, own_s = [], []
    for _ in range(count):
        own = draw.normal([1e-3, 2e-3, 3e-3], [2e-5, 4e-5, 6e-5], size=(10, 3))
        whole = draw.normal(6e-3, 8e-5, size=10)
        spikes = draw.random((10, 4)) < spike_share / 4
        own += 5e-3 * spikes[:, :3]
        whole += 5e-3 * spikes[:, 3]
        whole_s.append(whole)
        own_s.append(own)
    return whole_s, own_s


def test_rows_add_up_to_the_closure() -> None:
    summary = summarize(*rounds(30, 0), np.array([0, 1, 1]), seed=0)
    assert summary.rows_s.sum() / summary.whole_s == pytest.approx(summary.closure)
    assert summary.rows_s == pytest.approx([1e-3, 5e-3], rel=0.02)
    assert summary.own_s.sum() == pytest.approx(summary.rows_s.sum())


def test_disturbances_of_every_fifth_call_leave_no_trace() -> None:
    summary = summarize(*rounds(60, 1, spike_share=0.2), np.array([0, 1, 2]), seed=0)
    assert summary.closure == pytest.approx(1, abs=0.02)
    assert summary.rows_s == pytest.approx([1e-3, 2e-3, 3e-3], rel=0.03)


def test_the_interval_of_the_closure_holds_1_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        summary = summarize(*rounds(12, seed), np.array([0, 1, 2]), seed=seed)
        held += abs(summary.closure - 1) <= summary.closure_half
    assert held >= 52


def test_one_round_has_no_interval() -> None:
    summary = summarize(*rounds(1, 0), np.array([0, 1, 2]), seed=0)
    assert np.isinf(summary.rows_half_s).all()
    assert not summary.precise(0.5, 0.01)


def test_a_small_row_is_held_to_its_share_of_the_whole() -> None:
    whole_s, own_s = rounds(30, 0)
    tiny_s = [np.column_stack([own, 1e-6 * np.random.default_rng(0).random(10)]) for own in own_s]
    summary = summarize(whole_s, tiny_s, np.array([0, 1, 2, 3]), seed=0)
    assert summary.rows_half_s[3] > 0.05 * summary.rows_s[3]
    assert summary.precise(0.05, 0.01)


def test_time_between_stamps_goes_to_the_innermost_call_without_the_stamps_cost() -> None:
    import torch
    from torch import nn

    structure = structure_of(surveyed(nn.Sequential(nn.ReLU(), nn.ReLU()), torch.zeros(1)))
    # enter model, enter first, leave first, enter second, leave second, leave model
    spans_s = np.array([[1.0, 10.0, 2.0, 20.0, 3.0]])
    cost = StampCost(inside_s=0.1, outside_s=0.4)
    own_s = structure.own_seconds(spans_s, cost)
    assert own_s == pytest.approx(np.array([[6.0 - 0.1 - 2 * 0.4, 10.0 - 0.1, 20.0 - 0.1]]))
