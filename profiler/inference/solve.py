"""Joules of targets between instants of a recording, jointly, with their deviations."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .anchors import Anchors, Spans, lay_anchors
from .edges import true_edges
from .instants import place_moves
from .knots import find_knots
from .lag import NO_LAG, Lag, find_lag
from .moves import Floats, Moves
from .panel import Panel, build_panel
from .rare_strays import chances_of_rare, mixed_deviation
from .segment_model import RARE_S, STRAY, Model, Posterior
from .shifts import Shifts, find_shifts
from .strengths import likeliest_strengths
from .timeline import Timeline

PANEL_ANCHOR_COUNT = 24
CONTEXT_EDGE_COUNT = 10
CONTEXT_PERIOD_COUNT = 60
LEARNING_PANEL_COUNT = 4
SHIFT_PANEL_COUNT = 16
SHARED_FREEDOM = 8.0
LOCAL_FREEDOM = 3.0
REMAINING = 1.5
MOST_SCORE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Energy of every target, and the counter's lag.

    Args:
        mean_j: shape (targets,).
        deviation_j: shape (targets,), of the normal numbers with the same 95 % intervals.
        lag: of the counter.
    """

    mean_j: Floats
    deviation_j: Floats
    lag: Lag


def solve(moves: Moves, timeline: Timeline, spans: Spans) -> Solution:
    """Posterior energy of every target.

    Anchors that share counter intervals are solved together, in panels of bounded size; between
    panels the errors are taken as independent, because no interval belongs to two of them.
    """
    asked_s = np.unique(np.concatenate([timeline.edges_s, spans.start_s, spans.end_s]))
    moves = place_moves(moves, asked_s)
    knots = find_knots(moves, timeline, asked_s)
    anchors = lay_anchors(moves, knots, spans)
    if not len(anchors.times_s):
        return Solution(mean_j=anchors.base_j, deviation_j=anchors.untold_j, lag=NO_LAG)
    groups = _group(anchors, knots.timeline.edges_s)
    posteriors, panels, lag, shifts = _posteriors(moves, knots.timeline, anchors, groups)
    means_j = np.concatenate([posterior.mean_j for posterior in posteriors])
    widths, surprises = _widths(panels, posteriors)
    surprise_j = np.zeros(spans.target_count)
    variance_j2 = np.zeros(spans.target_count)
    shift_w = np.zeros((spans.target_count, len(shifts.late_s)))
    rare2, rare4 = np.zeros((2, len(RARE_S), spans.target_count))
    for group, posterior, chances, width, surprise in zip(
        groups, posteriors, chances_of_rare(posteriors), widths, surprises, strict=True
    ):
        covariance_j2 = posterior.covariance_j2 * np.outer(width, width)
        weights = anchors.weights[:, group].tocoo()
        rows, place = np.unique(weights.coords[0], return_inverse=True)
        dense = np.zeros((len(rows), len(width)))
        dense[place, weights.coords[1]] = weights.data
        own_j = surprise * np.sqrt(np.maximum(np.diag(posterior.covariance_j2), 0.0))
        surprise_j[rows] += np.abs(dense) @ own_j
        shift_w[rows] += dense @ posterior.shift_w
        variance_j2[rows] += np.maximum(np.sum((dense @ covariance_j2) * dense, axis=1), 0.0)
        rare_j2 = np.tensordot(dense, posterior.rare_j, 1) ** 2
        rare2[:, rows] += np.sum(chances * rare_j2, axis=(2, 3)).T
        rare4[:, rows] += np.sum(chances * rare_j2**2, axis=(2, 3)).T
    # What is common to all edges does not average out over the windows of a target.
    variance_j2 += np.sum((shift_w @ shifts.covariance_s2) * shift_w, axis=1)
    return Solution(
        mean_j=anchors.base_j + anchors.weights @ means_j,
        deviation_j=mixed_deviation(
            variance_j2 + anchors.untold_j**2 + surprise_j**2, rare2, rare4
        ),
        lag=lag,
    )


def _posteriors(
    moves: Moves, timeline: Timeline, anchors: Anchors, groups: Sequence[slice]
) -> tuple[list[Posterior], list[Panel], Lag, Shifts]:
    """What each panel says, by the model that explains a few of them best."""
    places = sorted({int(i) for i in np.linspace(0, len(groups) - 1, LEARNING_PANEL_COUNT).round()})
    panels = _panels(moves, timeline, anchors, groups)
    scale_w = _typical_power(panels)

    @functools.cache
    def models_of(lag_s: float) -> list[Model]:
        chosen = [groups[place] for place in places]
        lagged = _panels(moves, timeline, anchors, chosen, Lag(lag_s=lag_s, deviation_s=0.0))
        return [Model(panel, scale_w) for panel in lagged]

    strengths = likeliest_strengths(models_of(0.0))
    lag = find_lag(models_of, strengths, moves.longest_lag_s)
    # A counter that lags moves every edge alike, and explains them.
    if lag != NO_LAG:
        panels = _panels(moves, timeline, anchors, groups, lag)
        strengths = likeliest_strengths([Model(panels[i], scale_w) for i in places])
    spread = {int(i) for i in np.linspace(0, len(groups) - 1, SHIFT_PANEL_COUNT).round()}
    spread_models = [Model(panels[i], scale_w) for i in spread]
    shifts = find_shifts(timeline, spread_models, strengths, moves.read_deviation_s)
    shifted = shifts.applied(timeline)
    if shifted is not timeline:
        panels = _panels(moves, shifted, anchors, groups, lag)
        strengths = likeliest_strengths([Model(panels[i], scale_w) for i in places])
    if lag == NO_LAG:
        moved = true_edges(shifted, panels, strengths, scale_w)
        if moved is not shifted:
            panels = _panels(moves, moved, anchors, groups)
            strengths[STRAY] /= REMAINING
    posteriors = [Model(panel, scale_w).posterior(strengths) for panel in panels]
    return posteriors, panels, lag, shifts


def _panels(
    moves: Moves,
    timeline: Timeline,
    anchors: Anchors,
    groups: Sequence[slice],
    lag: Lag = NO_LAG,
) -> list[Panel]:
    panels = [
        build_panel(
            moves, timeline, anchors.times_s[group], anchors.reference[group],
            _context(anchors.times_s[group], timeline.edges_s, moves), lag.lag_s,
        )
        for group in groups
    ]  # fmt: skip
    for panel in panels:
        panel.move_covariance_s2[:] += lag.deviation_s**2
    return panels


def _widths(
    panels: Sequence[Panel], posteriors: Sequence[Posterior]
) -> tuple[list[Floats], list[Floats]]:
    """By how much the deviation of each anchor is widened, by what its interval shows.

    Every interval is predicted from all the others. By as much more, or less, as alike intervals
    miss than the model thinks, all of them are wider, or narrower; and an interval that misses by
    more than its like is itself wider: its own variance has an inverse gamma prior around theirs
    (West, Journal of the Royal Statistical Society B 46, 1984, p. 431).

    Returns:
        Factors for errors that are independent of each other, and further ones for anchors in
        intervals that the model does not explain at all. These errors have a cause, such as a
        thread that opens and closes its windows late, and may go the same way in all of a target.
    """
    kinds, scores, owners = [], [], []
    for panel, posterior in zip(panels, posteriors, strict=True):
        own = panel.own_equation
        scored = (
            np.where(own >= 0, posterior.scores[own], 0.0) if len(posterior.scores) else 0.0 * own
        )
        shared = np.bincount(own[own >= 0], minlength=len(posterior.scores) + 1)[own]
        scores.append(scored)
        kinds.append(np.where(own < 0, 0, np.minimum(shared, 3)))
        first = np.concatenate([[True], np.diff(own) != 0])
        owners.append(first & (own >= 0))
    kind, score, owner = (np.concatenate(parts) for parts in (kinds, scores, owners))
    widths, surprises = np.ones(len(score)), np.zeros(len(score))
    for of_kind in range(1, 4):
        alike = kind == of_kind
        seen = np.minimum(np.abs(score[alike & owner]), MOST_SCORE)
        # A few intervals tell little: as many that miss as expected stand beside them.
        shared2 = (SHARED_FREEDOM + seen @ seen) / (SHARED_FREEDOM + len(seen))
        own2 = (LOCAL_FREEDOM + score[alike] ** 2 / shared2) / (LOCAL_FREEDOM + 1)
        usual2 = np.minimum(own2, (LOCAL_FREEDOM + MOST_SCORE**2) / (LOCAL_FREEDOM + 1))
        widths[alike] = np.sqrt(shared2 * usual2)
        surprises[alike] = np.sqrt(shared2 * (own2 - usual2))
    places = np.cumsum([len(panel.own_equation) for panel in panels])[:-1]
    return np.split(widths, places), np.split(surprises, places)


def _group(anchors: Anchors, edges_s: Floats) -> list[slice]:
    """Runs of anchors that lie near each other, none cut inside a counter interval."""
    edge = np.searchsorted(edges_s, anchors.times_s)
    apart = (np.diff(anchors.reference) > CONTEXT_PERIOD_COUNT) | (
        np.diff(edge) > CONTEXT_EDGE_COUNT
    )
    fresh = np.diff(anchors.reference) != 0
    starts = [0]
    for place in np.flatnonzero(fresh) + 1:
        if apart[place - 1] or place - starts[-1] >= PANEL_ANCHOR_COUNT:
            starts.append(int(place))
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(fresh) + 1], strict=True)]


def _context(times_s: Floats, edges_s: Floats, moves: Moves) -> tuple[float, float]:
    """Span around a group: some edges to either side, and never further than some periods."""
    reach_s = CONTEXT_PERIOD_COUNT * (moves.period_s or 0.1)
    start_s, end_s = times_s[0] - reach_s, times_s[-1] + reach_s
    low = int(np.searchsorted(edges_s, times_s[0])) - CONTEXT_EDGE_COUNT
    high = int(np.searchsorted(edges_s, times_s[-1])) + CONTEXT_EDGE_COUNT
    if low >= 0:
        start_s = max(start_s, float(edges_s[low]))
    if high < len(edges_s):
        end_s = min(end_s, float(edges_s[high]))
    return float(start_s), float(end_s)


def _typical_power(panels: Sequence[Panel]) -> float:
    """Mean power of all that is known, W."""
    known_j = sum(float(panel.known_j.sum()) for panel in panels)
    known_s = sum(panel.known_s for panel in panels)
    return known_j / known_s if known_s > 0 and known_j > 0 else 1.0
