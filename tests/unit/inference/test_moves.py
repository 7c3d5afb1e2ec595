from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from profiler.inference.instants import locate, place_moves
from profiler.inference.moves import load_moves
from tests.unit.inference.truth import COUNTER, counter_trace
from tests.virtual.power import constant


def strays_s(trace, phase_s: float = 0.037) -> np.ndarray:
    found = locate(load_moves(trace), 0, len(trace.energy_j)).mean_s
    return np.abs(found - phase_s - 0.1 * np.round((found - phase_s) / 0.1))


def test_a_periodic_counter_is_located_far_below_the_width_of_its_brackets() -> None:
    trace = counter_trace(constant(100.0), until_s=8.0, width_s=0.002)
    assert strays_s(trace).max() < 0.0002


def test_a_bracket_as_wide_as_the_period_is_placed_by_the_others() -> None:
    trace = counter_trace(constant(100.0), until_s=8.0, width_s=0.002)
    earliest_s = list(trace.earliest_s)
    earliest_s[40] = trace.latest_s[39]
    wide = type(trace)(
        channel=trace.channel, earliest_s=tuple(earliest_s), latest_s=trace.latest_s,
        energy_j=trace.energy_j, epoch=trace.epoch, last_seen_s=trace.last_seen_s,
    )  # fmt: skip
    assert strays_s(wide)[40] < 0.0002


def test_an_irregular_counter_keeps_the_middle_of_its_brackets() -> None:
    trace = counter_trace(constant(100.0), until_s=6.0)
    chance = np.random.default_rng(3)
    shifts_s = np.cumsum(chance.uniform(-0.02, 0.02, len(trace.energy_j)))
    wandering = type(trace)(
        channel=trace.channel,
        earliest_s=tuple(np.asarray(trace.earliest_s) + shifts_s),
        latest_s=tuple(np.asarray(trace.latest_s) + shifts_s),
        energy_j=trace.energy_j, epoch=trace.epoch, last_seen_s=trace.last_seen_s,
    )  # fmt: skip
    moves = load_moves(wandering)
    found = locate(moves, 0, len(moves))
    assert np.allclose(found.mean_s, moves.instant_s)
    assert np.all(found.mean_s >= moves.earliest_s)
    assert np.all(found.mean_s <= moves.latest_s)


def test_reads_of_a_fast_counter_are_alike_where_they_are_whole_periods_apart() -> None:
    """A read half a period off the others, such as at an edge, shows a value of another age."""
    trace = counter_trace(constant(100.0), until_s=1.0, period_s=0.01, phase_s=0.0)
    reads_s = np.array([0.1, 0.12, 0.1405])
    fast = replace(
        trace, channel=replace(trace.channel, update_period_s=1e-3), energy_j=(0.0, 2.0, 4.0),
        earliest_s=tuple(reads_s - 1e-3), latest_s=tuple(reads_s), epoch=(0, 0, 0),
    )  # fmt: skip
    found = locate(load_moves(fast), 0, 3).covariance_s2
    age_s2 = 1e-6 / 12
    assert np.allclose(np.diag(found), age_s2)
    assert found[0, 1] > 0.4 * age_s2
    assert -0.25 * age_s2 < found[0, 2] < -0.1 * age_s2


def test_moves_of_a_fast_counter_that_were_not_waited_for_are_placed_by_the_others() -> None:
    # Of a counter that moves every 20 ms, one look comes just before every fourth move, when three
    # have passed unseen, and one just behind it.
    full = counter_trace(
        constant(100.0), until_s=8.0, phase_s=0.017, period_s=0.02, width_s=0.001,
        channel=replace(COUNTER, update_period_s=0.02),
    )  # fmt: skip
    kept = [k for k in range(len(full.energy_j)) if k % 4 in (0, 3)]
    latest_s = [full.latest_s[k] if k % 4 == 0 else full.earliest_s[k + 1] for k in kept[:-1]]
    earliest_s = [
        full.earliest_s[k] if k % 4 == 0 else full.latest_s[max(k - 3, 0)] for k in kept[:-1]
    ]
    trace = replace(
        full,
        earliest_s=tuple(earliest_s), latest_s=tuple(latest_s),
        energy_j=tuple(full.energy_j[k] for k in kept[:-1]), epoch=(0,) * len(latest_s),
    )  # fmt: skip
    moves = load_moves(trace)
    assert moves.update_s == pytest.approx(0.02, rel=1e-3)
    found = locate(moves, 0, len(moves))
    true_s = np.array([0.017 + 0.02 * k for k in kept[:-1]])
    assert np.abs(found.mean_s - true_s).max() < 2e-4


def test_the_value_of_a_read_that_took_long_may_be_as_old_as_its_beginning() -> None:
    trace = counter_trace(constant(100.0), until_s=8.0, width_s=0.002)
    # The thread was not run for 0.25 s once it had the value of update 40: 41 and 42 went unseen,
    # and the next read shows update 43, which may have come as early as the long read began.
    kept = [k for k in range(len(trace.energy_j)) if k not in (41, 42)]
    earliest_s, latest_s = list(trace.earliest_s), list(trace.latest_s)
    earliest_s[43] = latest_s[40]
    latest_s[40] += 0.25
    slow = replace(
        trace,
        earliest_s=tuple(earliest_s[k] for k in kept), latest_s=tuple(latest_s[k] for k in kept),
        energy_j=tuple(trace.energy_j[k] for k in kept), epoch=(0,) * len(kept),
    )  # fmt: skip
    moves = load_moves(slow)
    found = locate(moves, 0, len(moves))
    true_s = 0.037 + 0.1 * np.array(kept)
    assert np.all(np.abs(found.mean_s - true_s) <= 2.5 * np.sqrt(np.diag(found.covariance_s2)))
    # Nobody can tell which update it shows: it splits no joules.
    placed = place_moves(moves, np.array([4.0]))
    assert len(placed) == len(moves) - 1
    assert trace.energy_j[40] not in placed.energy_j
    assert np.abs(placed.instant_s - np.delete(true_s, 40)).max() < 2e-4
