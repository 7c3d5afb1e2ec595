"""Where the energy of a recording is asked for, thinned to what a counter can tell apart.

Between two moves of a counter a few edges can be told apart by the powers on either side. Of many
it knows no more than their energy together: that interval is one piece, whose energy, which the
counter shows, is split by time, and what that leaves open is added to the interval of each window.

    moves    |                    |                    |
    edges       |    |    |           |||||||||||||
    knots       x    x    x       x____________________x  a crowded piece
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .moves import Floats, Moves
from .timeline import Ints, Timeline

MOST_EDGES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Knots:
    """Instants at which the energy is inferred; others are interpolated between two of them.

    Args:
        times_s: shape (k,), rising.
        reference: shape (k,), the move before each.
        timeline: the segments between those knots that are edges.
        points_s: shape (p,), all instants that may be asked for.
        left: shape (p,), the knot at or before each point.
        share: shape (p,), how far each point lies on the way to the next knot, 0 to below 1.
        is_move: shape (k,), whether a knot is the move itself, whose energy needs no inference.
    """

    times_s: Floats
    reference: Ints
    timeline: Timeline
    points_s: Floats
    left: Ints
    share: Floats
    is_move: NDArray[np.bool_]


def find_knots(moves: Moves, timeline: Timeline, instants_s: Floats) -> Knots:
    """Knots at the edges of the timeline and at further instants.

    Args:
        moves: of the counter.
        timeline: all windows of the recording.
        instants_s: what is asked for besides edges.
    """
    moved_s = moves.instant_s
    points_s = np.unique(np.concatenate([timeline.edges_s, instants_s]))
    holder = np.searchsorted(moved_s, points_s, side="right") - 1
    is_edge = np.isin(points_s, timeline.edges_s, assume_unique=True)
    crowded = np.bincount(holder + 1)[holder + 1] > MOST_EDGES
    shown = np.concatenate([[False], moves.solid, [False]])[holder + 1]
    # Where the counter does not show the energy of a crowd, its outermost points are inferred.
    kept = ~crowded | (~shown & _outermost(holder, np.ones(len(holder), dtype=bool)))
    pieces = np.unique(holder[crowded & shown])
    # Where a crowd begins or ends, power most likely changes: that edge is inferred like any other.
    begins, ends = ~np.isin(holder - 1, pieces), ~np.isin(holder + 1, pieces)
    first = np.concatenate([[True], np.diff(holder) != 0])[: len(holder)]
    last = np.concatenate([np.diff(holder) != 0, [True]])[: len(holder)]
    kept |= crowded & ((first & begins) | (last & ends))
    shows = np.unique(np.concatenate([pieces, pieces + 1]))
    times_s = np.concatenate([points_s[kept], moved_s[shows]])
    reference = np.concatenate([np.clip(holder[kept], 0, len(moved_s) - 1), shows])
    order = np.argsort(times_s, kind="stable")
    times_s = times_s[order]
    left = np.searchsorted(times_s, points_s, side="right") - 1
    beyond_s = np.append(times_s[1:], np.inf)[left]
    near = ~crowded | _outermost(holder, is_edge)
    return Knots(
        times_s=times_s,
        reference=reference[order],
        timeline=_thinned(timeline, near[is_edge]),
        points_s=points_s,
        left=left,
        share=(points_s - times_s[left]) / (beyond_s - times_s[left]),
        is_move=order >= int(kept.sum()),
    )


def _outermost(holder: Ints, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The first and the last chosen point of each interval, as a mask."""
    places = np.flatnonzero(chosen)
    changes = np.diff(holder[places]) != 0
    found = np.zeros(len(holder), dtype=bool)
    found[places[np.concatenate([[True], changes])[: len(places)]]] = True
    found[places[np.concatenate([changes, [True]])[: len(places)]]] = True
    return found


def _thinned(timeline: Timeline, kept: NDArray[np.bool_]) -> Timeline:
    """The timeline with these edges only; what lies between two of them has one label."""
    places = np.flatnonzero(kept)
    label_of = timeline.label_of[np.concatenate([[0], places + 1])]
    numbers: dict[frozenset[int], int] = {}
    first_new = int(timeline.label_of.max(initial=0)) + 1
    for piece in np.flatnonzero(np.diff(places) > 1):
        inside = frozenset(timeline.label_of[places[piece] + 1 : places[piece + 1] + 1].tolist())
        if len(inside) > 1:
            label_of[piece + 1] = first_new + numbers.setdefault(inside, len(numbers))
    return Timeline.of_segments(timeline.edges_s[kept], label_of)
