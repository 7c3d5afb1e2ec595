"""The posterior of the segment model, whatever the strengths of its parts."""

from __future__ import annotations

import numpy as np
import pytest

from profiler.inference.instants import place_moves
from profiler.inference.moves import load_moves
from profiler.inference.panel import build_panel
from profiler.inference.segment_model import Model
from profiler.inference.timeline import Timeline
from tests.unit.inference.truth import busy_and_idle, counter_trace


@pytest.mark.parametrize("stray_s", [2e-5, 1e-4, 1e-3])
def test_no_variance_is_lost_to_rounding(stray_s: float) -> None:
    levels = [(0.11 + 0.037 * k, 350.0 + 21 * k) for k in range(12)]
    script, windows = busy_and_idle(levels, [0.05 + 0.031 * k for k in range(12)])
    moves = load_moves(counter_trace(script, until_s=script.end_s, width_s=2e-4))
    timeline = Timeline(windows, None)
    edges_s = timeline.edges_s
    moves = place_moves(moves, edges_s)
    references = np.searchsorted(moves.instant_s, edges_s) - 1
    panel = build_panel(moves, timeline, edges_s, references, (edges_s[0] - 5, edges_s[-1] + 5))
    # Gaps that are all alike, and nothing but the strays of edges that is unknown.
    strengths = np.array([0.18, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, stray_s])
    found = Model(panel, 300.0).posterior(strengths).covariance_j2
    deviation_j = np.sqrt(np.diag(found))
    assert np.all(np.diag(found) > 0)
    assert np.linalg.eigvalsh(found).min() > -1e-6 * np.diag(found).max()
    # No edge is known much better than its stray, of which a step of some 300 W makes joules.
    assert deviation_j.min() > 0.02 * stray_s * 300.0
