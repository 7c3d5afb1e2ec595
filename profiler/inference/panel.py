"""One neighbourhood of a recording, cut into cells: what is asked of it and what is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .instants import Instants, locate
from .moves import Floats, Moves
from .timeline import Ints, Timeline

NEAR_COUNT = 5
MERGED_COUNT = 48
FIT_MARGIN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Equations and questions, both as signed spans of cells.

    A row is the energy of cells `row_first[r]` to `row_last[r]` (negative where the order is
    reversed) plus noise from the moves at its ends. The first `equation_count` rows are the counter
    intervals, whose joules are `known_j`; the others are the anchors: the energy between the
    anchor's reference move and its instant.

    Args:
        start_s: shape (c,), start of each cell.
        duration_s: shape (c,).
        segment: shape (c,), number of the segment of each cell.
        label: shape (c,), number of the label of each cell; 0 is the gap.
        row_first: shape (r,), first cell of each row.
        row_last: shape (r,), one past its last cell.
        known_j: shape (equation_count,).
        noise: shape (r, m), how the error of each move enters each row.
        move_covariance_s2: shape (m, m), uncertainty of the instants of the moves.
        move_cell: shape (m,), the cell that starts at each move.
        resolution_j: smallest step of the counter.
        own_equation: shape (anchors,), the equation in which each anchor lies; -1 for none.
    """

    start_s: Floats
    duration_s: Floats
    segment: Ints
    label: Ints
    row_first: Ints
    row_last: Ints
    known_j: Floats
    noise: Floats
    move_covariance_s2: Floats
    move_cell: Ints
    resolution_j: float
    own_equation: Ints

    @property
    def equation_count(self) -> int:
        """Number of rows that are known."""
        return len(self.known_j)

    @property
    def known_s(self) -> float:
        """Seconds of all equations together."""
        count = self.equation_count
        total_s = np.concatenate([[0.0], np.cumsum(self.duration_s)])
        return float((total_s[self.row_last[:count]] - total_s[self.row_first[:count]]).sum())

    @property
    def is_gap(self) -> NDArray[np.bool_]:
        """Shape (c,), whether no window is open in a cell."""
        found: NDArray[np.bool_] = self.label == 0
        return found


def build_panel(
    moves: Moves,
    timeline: Timeline,
    instants_s: Floats,
    references: Ints,
    span: tuple[float, float],
    lag_s: float = 0.0,
) -> Panel:
    """Lay out the neighbourhood `span` (seconds) around anchors.

    Which counter intervals are equations does not depend on the lag, so that the evidence for one
    lag can be compared with that for another.

    Args:
        moves: of the counter.
        timeline: whose edges are where power may change.
        instants_s: shape (a,), of the anchors.
        references: shape (a,), the move before each anchor, from which its energy is counted.
        span: what to take in at least.
        lag_s: how long before a move the energy was reached that it shows.
    """
    first, last, instants = _moves_around(moves, references, span)
    shown_s = instants.mean_s + 1e-9 * np.arange(last - first)
    times_s = shown_s - lag_s
    own = references - first
    # Where the energy is asked for beside no edge, the intervals around it tell its power as well.
    asked_s = np.union1d(timeline.edges_s, instants_s)
    edges_s = _strictly_between(asked_s, shown_s[0], shown_s[-1])
    pairs = _equations(shown_s, edges_s, moves.solid[first : last - 1])
    kept = np.unique(np.concatenate([np.ravel(pairs), own]))
    ends_s = np.array([min(times_s[0], instants_s.min()), max(times_s[-1], instants_s.max())])
    edges_s = _strictly_between(timeline.edges_s, *ends_s)
    bounds_s = np.unique(np.concatenate([times_s[kept], edges_s, instants_s, ends_s]))
    from_s = np.concatenate([times_s[pairs[:, 0]], times_s[own]])
    to_s = np.concatenate([times_s[pairs[:, 1]], instants_s])
    middles_s = (bounds_s[:-1] + bounds_s[1:]) / 2
    segment = timeline.segments(middles_s)
    energy_j = moves.energy_j[first:last]
    place = np.minimum(np.searchsorted(pairs[:, 0], own, side="right"), len(pairs)) - 1
    inside = (place >= 0) & (own < pairs[place, 1]) if len(pairs) else place >= 0
    return Panel(
        start_s=bounds_s[:-1],
        duration_s=np.diff(bounds_s),
        segment=segment,
        label=timeline.label_of[segment],
        row_first=np.searchsorted(bounds_s, from_s),
        row_last=np.searchsorted(bounds_s, to_s),
        known_j=energy_j[pairs[:, 1]] - energy_j[pairs[:, 0]],
        noise=_move_noise(pairs, own, kept),
        move_covariance_s2=instants.covariance_s2[np.ix_(kept, kept)],
        move_cell=np.minimum(np.searchsorted(bounds_s, times_s[kept]), len(middles_s) - 1),
        resolution_j=moves.resolution_j,
        own_equation=np.where(inside, place, -1),
    )


def _strictly_between(times_s: Floats, low_s: float, high_s: float) -> Floats:
    first, last = np.searchsorted(times_s, low_s, "right"), np.searchsorted(times_s, high_s, "left")
    return times_s[first:last]


def _move_noise(pairs: Ints, references: Ints, kept: Ints) -> Floats:
    """How the error of each kept move enters each row, shape (r, m)."""
    noise = np.zeros((len(pairs) + len(references), len(kept)))
    rows = np.arange(len(pairs))
    noise[rows, np.searchsorted(kept, pairs[:, 1])] += 1
    noise[rows, np.searchsorted(kept, pairs[:, 0])] -= 1
    noise[len(pairs) + np.arange(len(references)), np.searchsorted(kept, references)] = -1
    return noise


def _moves_around(
    moves: Moves, references: Ints, span: tuple[float, float]
) -> tuple[int, int, Instants]:
    """Range of moves in use, and their instants."""
    moved_s = moves.instant_s
    first = min(int(np.searchsorted(moved_s, span[0])) - NEAR_COUNT - 1, int(references.min()))
    last = max(int(np.searchsorted(moved_s, span[1])) + NEAR_COUNT + 1, int(references.max()))
    first, last = max(first, 0), min(last + 1, len(moves))
    fit_first, fit_last = max(first - FIT_MARGIN, 0), min(last + FIT_MARGIN, len(moves))
    fitted = locate(moves, fit_first, fit_last)
    chosen = slice(first - fit_first, last - fit_first)
    instants = Instants(
        mean_s=fitted.mean_s[chosen], covariance_s2=fitted.covariance_s2[chosen, chosen]
    )
    return first, last, instants


def _equations(times_s: Floats, edges_s: Floats, solid: NDArray[np.bool_]) -> Ints:
    """Pairs of moves, shape (e, 2): single intervals near an edge, merged ones inside a segment."""
    near = np.zeros(len(solid), dtype=bool)
    holders = np.searchsorted(times_s, edges_s, side="right") - 1
    for shift in range(-NEAR_COUNT, NEAR_COUNT + 1):
        at = holders + shift
        near[at[(at >= 0) & (at < len(near))]] = True
    near |= ~solid
    pairs = [(k, k + 1) for k in np.flatnonzero(near & solid)]
    quiet = np.flatnonzero(np.diff(np.concatenate([[0], ~near, [0]]).astype(int)))
    for start, stop in zip(quiet[::2], quiet[1::2], strict=True):
        if stop - start <= 2 * MERGED_COUNT:
            pairs.append((start, stop))
        else:
            pairs += [(start, start + MERGED_COUNT), (stop - MERGED_COUNT, stop)]
    return np.array(sorted(pairs), dtype=int).reshape(-1, 2)
