"""Windows far shorter than a counter's period: one piece, an honest interval, little time."""

from __future__ import annotations

import pytest

from profiler.inference import infer_counter
from profiler.inference.knots import MOST_EDGES, find_knots
from profiler.inference.moves import load_moves
from profiler.inference.timeline import Timeline
from profiler.values.trace import Window
from tests.unit.inference.truth import counter_trace
from tests.virtual.power import bursts, constant

STEP_S, PAUSE_S, COUNT = 2e-3, 1e-3, 400


def busy_steps(name: str):
    """Windows of 2 ms at 500 W, 1 ms at 90 W between them."""
    script = constant(90.0, 1.0) + bursts(
        high_w=500.0, low_w=90.0, on_s=STEP_S, off_s=PAUSE_S, count=COUNT
    )
    script += constant(90.0, 1.0)
    starts_s = [1.0 + k * (STEP_S + PAUSE_S) for k in range(COUNT)]
    windows = [
        Window(name=name.format(k), start_s=start_s, end_s=start_s + STEP_S)
        for k, start_s in enumerate(starts_s)
    ]
    return script, windows, counter_trace(script, until_s=script.end_s)


def test_many_short_windows_of_one_name_have_an_interval_that_holds_their_sum() -> None:
    script, windows, trace = busy_steps("step")
    (together,) = infer_counter(trace, [windows], windows)
    truth_j = sum(script.energy_between_j(w.start_s, w.end_s or 0.0) for w in windows)
    assert together.energy_j is not None
    assert (together.energy_j.low or 0.0) <= truth_j <= (together.energy_j.high or 0.0)
    assert together.bracket_j is not None
    assert together.bracket_j[0] <= truth_j <= together.bracket_j[1]


def test_every_one_of_many_short_windows_has_an_interval_that_holds_it() -> None:
    script, windows, trace = busy_steps("step {}")
    for window, found in zip(
        windows, infer_counter(trace, [(w,) for w in windows], windows), strict=True
    ):
        truth_j = script.energy_between_j(window.start_s, window.end_s or 0.0)
        assert found.energy_j is not None
        assert (found.energy_j.low or 0.0) <= truth_j <= (found.energy_j.high or 0.0)


def test_windows_without_gaps_between_them_share_what_the_counter_shows() -> None:
    script = constant(300.0)
    windows = [Window(name="w", start_s=1 + k / 500, end_s=1 + (k + 1) / 500) for k in range(500)]
    (found,) = infer_counter(counter_trace(script, until_s=3.0), [windows], windows)
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(300.0, rel=1e-3)
    assert found.energy_j.relative_half_width == pytest.approx(0.0, abs=0.05)


def test_only_crowded_intervals_lose_their_edges() -> None:
    _, windows, trace = busy_steps("step")
    lone = Window(name="lone", start_s=0.3, end_s=0.7)
    moves = load_moves(trace)
    timeline = Timeline([*windows, lone], None)
    knots = find_knots(moves, timeline, timeline.edges_s)
    assert {0.3, 0.7} <= set(knots.times_s.tolist())
    assert len(knots.times_s) < len(timeline.edges_s) / MOST_EDGES
