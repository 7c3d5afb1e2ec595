"""Intervals of many rows from few processes, against a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from profiler.layers.shared_spread import half_widths_of_shares

TRUTH = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.04, 0.03, 0.03, 0.02])


def covered(spreads: np.ndarray, tables: int = 400) -> tuple[np.ndarray, float]:
    """How often the interval of each row holds the truth, and its median half width."""
    generator = np.random.default_rng(0)
    hits, halves = np.zeros(len(TRUTH)), []
    for _ in range(tables):
        shares = TRUTH * (1 + spreads * generator.standard_normal((3, len(TRUTH))))
        half = half_widths_of_shares(shares)
        hits += np.abs(shares.mean(axis=0) - TRUTH) <= half
        halves.append(half / TRUTH)
    return hits / tables, float(np.median(halves))


def test_rows_that_are_spread_alike_are_narrow_and_still_covered() -> None:
    coverage, half = covered(np.full(len(TRUTH), 0.03))
    assert coverage.min() > 0.91
    assert half < 0.6 * 4.303 * 0.03 / 3**0.5


def test_a_row_that_is_spread_otherwise_is_covered_as_well() -> None:
    spreads = np.full(len(TRUTH), 0.02)
    spreads[2] = 0.3
    coverage, _ = covered(spreads)
    assert np.delete(coverage, 2).min() > 0.91
    assert coverage[2] > 0.9


def test_rows_of_any_spread_are_covered_on_average() -> None:
    spreads = np.geomspace(0.003, 0.1, len(TRUTH))
    coverage, _ = covered(spreads)
    assert coverage.mean() > 0.93
    assert coverage.min() > 0.88


def test_few_rows_have_students_t_each() -> None:
    shares = np.array([[0.5, 0.5], [0.52, 0.48], [0.51, 0.49]])
    assert half_widths_of_shares(shares) == pytest.approx([4.303 * 0.01 / 3**0.5] * 2, rel=1e-3)


def test_rows_that_never_differ_have_no_width() -> None:
    assert half_widths_of_shares(np.tile(TRUTH, (3, 1))) == pytest.approx(np.zeros(len(TRUTH)))
