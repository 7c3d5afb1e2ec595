"""How far the energy at an edge may lie on its wrong side."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from profiler.inference.strays import Strays

EDGE_S = 1.0


def variances_j2(bounds_s: list[float], stray_s: float) -> np.ndarray:
    """Of cells between these bounds, with a step of 300 W at 1 s."""
    bounds = np.array(bounds_s)
    panel = SimpleNamespace(
        start_s=bounds[:-1], duration_s=np.diff(bounds), segment=(bounds[:-1] >= EDGE_S).astype(int)
    )
    power_w = np.where(bounds[:-1] >= EDGE_S, 400.0, 100.0)
    return Strays(panel, power_w, 250.0).variance_j2(stray_s)  # type: ignore[arg-type]  # its cells


def test_long_cells_on_both_sides_hold_the_step_for_as_long_as_edges_stray() -> None:
    assert variances_j2([0.0, 1.0, 2.0], 2e-3) == pytest.approx([(300 * 2e-3) ** 2] * 2)


def test_a_move_close_to_the_edge_stops_no_stray() -> None:
    long = variances_j2([0.0, 1.0, 2.0], 2e-3)
    cut = variances_j2([0.0, 0.9995, 1.0, 2.0], 2e-3)
    assert cut[0] + cut[1] == pytest.approx(long[0])
    assert cut[0] > cut[1]


def test_cells_beyond_every_stray_stay_exact() -> None:
    assert variances_j2([0.0, 0.99, 1.0, 2.0], 4e-4)[0] == pytest.approx(0.0, abs=1e-12)


def test_edges_that_do_not_stray_leave_no_energy_anywhere() -> None:
    assert not variances_j2([0.0, 1.0, 2.0], 0.0).any()


def test_an_edge_that_strays_far_moves_energy_across_moves_on_one_side() -> None:
    bounds = np.array([0.0, 0.998, 0.999, 1.0, 1.001, 2.0])
    panel = SimpleNamespace(
        start_s=bounds[:-1], duration_s=np.diff(bounds), segment=np.array([0, 0, 0, 1, 1])
    )
    power_w = np.array([100.0, 100.0, 100.0, 400.0, 400.0])
    late_j, early_j = Strays(panel, power_w, 250.0).displaced_j(3e-3)[:, 0]  # type: ignore[arg-type]  # its cells
    assert late_j == pytest.approx([0, 0, 0, 0.3, 0.6])
    assert early_j == pytest.approx([0.3, 0.3, 0.3, 0, 0])
