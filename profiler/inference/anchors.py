"""What targets are made of: the counter's own differences, and remainders that are inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from profiler.values.trace import Window

from .knots import Knots
from .moves import Floats, Moves
from .timeline import Ints, closed_span

if TYPE_CHECKING:
    from scipy.sparse import csc_array

UNTOLD_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Spans of time, each part of one target; all of shape (s,)."""

    target: Ints
    start_s: Floats
    end_s: Floats
    target_count: int

    def sum(self, values: Floats) -> Floats:
        """Values of the spans, shape (s,), added up by target, shape (targets,)."""
        return add_up(self.target, values, self.target_count)

    def of_targets(self, chosen: NDArray[np.bool_]) -> Spans:
        """The spans of the chosen targets, which are numbered anew."""
        kept = chosen[self.target]
        number = np.cumsum(chosen) - 1
        return Spans(
            target=number[self.target[kept]], start_s=self.start_s[kept], end_s=self.end_s[kept],
            target_count=int(chosen.sum()),
        )  # fmt: skip


def add_up(place: Ints, values: Floats, count: int) -> Floats:
    """Values of one place added up, shape (count,)."""
    sums: Floats = np.bincount(place, values, count).astype(float)
    return sums


def lay_spans(targets: Sequence[Sequence[Window]], now_s: float | None) -> Spans:
    """The windows of all targets; those without duration are left out."""
    found = [
        (number, *closed_span(window, now_s))
        for number, target in enumerate(targets)
        for window in target
    ]
    rows = np.array(found, dtype=float).reshape(-1, 3)
    rows = rows[rows[:, 2] > rows[:, 1]]
    return Spans(
        target=rows[:, 0].astype(int), start_s=rows[:, 1], end_s=rows[:, 2],
        target_count=len(targets),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Instants whose energy after a reference move is wanted: knots, and the far ends of breaks.

    Args:
        times_s: shape (a,), in the order of the moves before them.
        reference: shape (a,), the move before each.
        weights: shape (targets, a), how the remainder at each anchor enters each target.
        base_j: shape (targets,), joules of the targets by the references alone.
        untold_j: shape (targets,), by how much the split of crowded pieces may be wrong.
    """

    times_s: Floats
    reference: Ints
    weights: csc_array
    base_j: Floats
    untold_j: Floats


def lay_anchors(moves: Moves, knots: Knots, spans: Spans) -> Anchors:
    """The anchors that the spans need.

    A counter cannot be subtracted across a break. There the energy up to the move after it is an
    anchor of its own, which every span that crosses the break takes in.
    """
    from scipy.sparse import coo_array

    knot_count = len(knots.times_s)
    breaks = np.flatnonzero(~moves.solid)
    shown_j = np.concatenate([[0.0], np.cumsum(np.where(moves.solid, np.diff(moves.energy_j), 0))])
    points = [np.searchsorted(knots.points_s, s) for s in (spans.start_s, spans.end_s)]
    rows, columns, values = [], [], []
    for sign, point in zip((-1.0, 1.0), points, strict=True):
        left, share = knots.left[point], knots.share[point]
        rows += [spans.target, spans.target]
        columns += [left, np.minimum(left + 1, knot_count - 1)]
        values += [sign * (1 - share), sign * share]
    base_j = sum(
        spans.sum(value * shown_j[knots.reference[column]])
        for row, column, value in zip(rows, columns, values, strict=True)
    )
    first, last = (np.searchsorted(breaks, knots.reference[knots.left[point]]) for point in points)
    for number in range(len(breaks)):
        through = (first <= number) & (last > number)
        rows.append(spans.target[through])
        columns.append(np.full(len(rows[-1]), knot_count + number))
        values.append(np.ones(len(rows[-1])))
    times_s = np.concatenate([knots.times_s, moves.instant_s[breaks + 1]])
    reference = np.concatenate([knots.reference, breaks])
    places = np.concatenate(rows), np.concatenate(columns)
    shape = (spans.target_count, len(times_s))
    weights = coo_array((np.concatenate(values), places), shape=shape).tocsc()
    weights.eliminate_zeros()
    inferred = np.append(~knots.is_move, np.ones(len(breaks), dtype=bool))
    order = np.lexsort((times_s, reference))
    needed = order[((np.diff(weights.indptr) > 0) & inferred)[order]]
    return Anchors(
        times_s=times_s[needed],
        reference=reference[needed],
        weights=weights[:, needed],
        base_j=np.asarray(base_j),
        untold_j=_untold_j(moves, knots, spans, points),
    )


def _untold_j(moves: Moves, knots: Knots, spans: Spans, points: Sequence[Ints]) -> Floats:
    """Joules by which the split of crowded pieces by time may be wrong, shape (targets,).

    What a target takes of a piece beside its share of the time is alike at all pieces, so that it
    adds up in proportion to their number, not to its root. That windows draw two or three times
    the power of what lies between them, or as much less, is nothing unusual.
    """
    (begun, ended), count = (knots.left[point] for point in points), len(knots.times_s)
    begun_share, ended_share = (knots.share[point] for point in points)
    apart = begun != ended
    part = np.where(apart, 1.0, ended_share) - begun_share
    target = np.concatenate([spans.target, spans.target[apart]])
    piece = np.concatenate([begun, ended[apart]])
    keys, place = np.unique(target * count + piece, return_inverse=True)
    share = add_up(place, np.concatenate([part, ended_share[apart]]), len(keys))
    share = np.clip(share, 0.0, 1.0)
    untold_j = UNTOLD_SHARE * share * (1 - share) * _pieces_j(moves, knots)[keys % count]
    return add_up(keys // count, untold_j, spans.target_count)


def _pieces_j(moves: Moves, knots: Knots) -> Floats:
    """Joules between each knot and the next, at the power that the counter showed there."""
    powers_w = np.diff(moves.energy_j) / np.maximum(np.diff(moves.instant_s), 1e-9)
    nearest = np.minimum(knots.reference, len(powers_w) - 1)
    pieces_j: Floats = np.diff(knots.times_s, append=knots.times_s[-1:]) * powers_w[nearest]
    return pieces_j
