"""Loads that go on after the window that launched them, into a gap whose rest is idle."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from profiler.inference import infer_energies
from profiler.inference.energies import ChannelEnergy
from profiler.inference.power_parts import LINGERING_S, cell_parts
from tests.bench.scenarios import back_to_back_spaced, make
from tests.bench.virtual_recording import BUSY_SHARE, RTX_4090, record_load

# Cells of a window, and of the gap after it.
BOUNDS_S = np.array([0.0, 0.95, 1.0, 1.004, 1.03, 1.13, 1.23])
SEGMENT = np.array([0, 0, 1, 1, 1, 1])


def gap_covariance_s2(equations: list[tuple[int, int]]) -> np.ndarray:
    """Of the cells of a gap whose power differs from that of other gaps, shape (4, 4)."""
    row_first, row_last = np.array(equations).T
    panel = SimpleNamespace(
        start_s=BOUNDS_S[:-1], duration_s=np.diff(BOUNDS_S), segment=SEGMENT, is_gap=SEGMENT == 1,
        row_first=row_first, row_last=row_last, equation_count=len(equations),
    )  # fmt: skip
    return cell_parts(panel, panel.duration_s)[1][2:, 2:]  # type: ignore[arg-type]  # its cells


def lasting_s2(first: tuple[float, float], second: tuple[float, float]) -> float:
    """The chance that the load lasts until the later of two instants, integrated over both."""
    count = 400
    one, other = (
        low + (high - low) * (np.arange(count) + 0.5) / count for low, high in (first, second)
    )
    chances = np.exp(-(np.maximum.outer(one, other) - 1.0) / LINGERING_S)
    return float(chances.mean() * (first[1] - first[0]) * (second[1] - second[0]))


def test_the_beginning_of_a_gap_whose_rest_is_known_is_left_open() -> None:
    spans = list(pairwise(BOUNDS_S[2:]))
    lengths_s = np.diff(BOUNDS_S)[2:]
    expected = np.outer(lengths_s, lengths_s)
    expected += [[lasting_s2(one, other) for other in spans] for one in spans]
    assert gap_covariance_s2([(0, 1), (1, 4), (4, 5)]) == pytest.approx(expected, rel=1e-3)


def test_a_gap_without_a_counter_interval_of_its_own_has_one_power() -> None:
    lengths_s = np.diff(BOUNDS_S)[2:]
    expected = np.outer(lengths_s, lengths_s)
    assert gap_covariance_s2([(0, 1), (1, 4)]) == pytest.approx(expected)


def last_before_idle(seed: int) -> tuple[ChannelEnergy, float]:
    """The last of 25 windows whose load goes on for 2 to 20 ms, then idles; and its true joules."""
    load = make(back_to_back_spaced, seed)
    traces = record_load(load, seed, sensor=RTX_4090, busy_share=BUSY_SHARE)
    *_, last = infer_energies(traces, [(window,) for window in load.windows], load.windows)
    (energy,) = last.devices.values()
    return energy, load.truths_j[-1]


def test_a_load_that_goes_on_into_idle_is_left_open_in_the_last_window() -> None:
    energy, truth_j = last_before_idle(378001)
    assert energy.energy_j is not None
    assert (energy.energy_j.low or 0.0) <= truth_j <= (energy.energy_j.high or 0.0)


def test_a_load_that_goes_on_into_idle_is_no_lag_of_the_counter() -> None:
    energy, _ = last_before_idle(600011)
    assert "counter-lags" not in {finding.kind for finding in energy.findings}
