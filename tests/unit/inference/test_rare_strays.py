"""Edges that lie far off, rarely: how likely each is one, and what that does to an interval."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from profiler.inference.rare_strays import PRIOR_SHARES, chances_of_rare, mixed_deviation

SHAPE = (len(PRIOR_SHARES), 2)


def chances(odds: np.ndarray, first_edge: int = 0) -> np.ndarray:
    """Of a panel whose edges lie a second apart, shape (scales, 2, edges)."""
    edges_s = np.arange(odds.shape[-1], dtype=float) + first_edge
    (found,) = chances_of_rare([SimpleNamespace(edges_s=edges_s, rare_odds=odds)])  # type: ignore[list-item]  # its edges
    return found


def test_edges_that_nothing_is_seen_of_keep_the_prior() -> None:
    found = chances(np.ones((*SHAPE, 40)))
    assert found == pytest.approx(np.broadcast_to(PRIOR_SHARES[:, None, None] / 2, found.shape))


def test_edges_that_are_seen_well_speak_for_one_that_is_not() -> None:
    odds = np.full((*SHAPE, 100), 1e-6)
    odds[:, :, 0] = 1.0
    assert chances(odds)[:, :, 0].sum() < 0.05


def test_an_edge_that_was_seen_to_stray_far_is_told_with_its_side() -> None:
    odds = np.full((*SHAPE, 30), 1e-3)
    odds[1, 0, 7] = 1e6
    found = chances(odds)
    assert found[1, 0, 7] > 0.99
    assert np.delete(found, 7, axis=2).max() < 0.01


def test_an_edge_that_two_panels_share_counts_once() -> None:
    odds = np.ones((*SHAPE, 20))
    odds[1, 0, :10] = 50.0
    panel = SimpleNamespace(edges_s=np.arange(20.0), rare_odds=odds)
    alone, twice = (chances_of_rare([panel] * count)[0] for count in (1, 2))  # type: ignore[list-item]  # its edges
    assert alone == pytest.approx(twice)


def deviation(usual: float, rare: float, chance: float, count: int) -> float:
    """Of a target with that many edges, each with a chance of a far stray of that deviation."""
    rare2, rare4 = np.zeros((2, 2, 1))
    rare2[1], rare4[1] = count * chance * rare**2, count * chance * rare**4
    return float(mixed_deviation(np.array([usual**2]), rare2, rare4)[0])


def test_without_rare_strays_a_deviation_stays_what_it_is() -> None:
    assert deviation(2.0, 50.0, 0.0, 2) == pytest.approx(2.0)


def test_an_interval_of_95_percent_leaves_out_what_happens_in_2_percent_of_cases() -> None:
    assert 2.0 < deviation(2.0, 50.0, 0.01, 2) < 2.6


def test_an_interval_takes_in_what_happens_in_20_percent_of_cases() -> None:
    # A quarter of them may be missed: 1.15 of their deviations hold the rest.
    assert deviation(0.01, 50.0, 0.1, 2) == pytest.approx(50 * 1.15 / 1.96, rel=0.1)


def test_rare_strays_of_many_edges_add_up_like_normal_numbers() -> None:
    assert deviation(2.0, 50.0, 0.1, 1000) == pytest.approx(50 * 100**0.5, rel=0.01)
