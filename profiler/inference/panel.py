"""One neighbourhood of a recording, cut into cells: what is asked of it and what is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .moves import Floats, Instants, Moves, locate
from .samples import NO_SAMPLES, Samples, updates_near_edges
from .timeline import GAP, Timeline

Ints = NDArray[np.int_]

NEAR_COUNT = 5
MERGED_COUNT = 48
FIT_MARGIN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far behind a move the energy is that it shows, alike at all moves of a counter."""

    lag_s: float
    deviation_s: float


NO_LAG = Lag(lag_s=0.0, deviation_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Equations and questions, both as signed spans of cells.

    A row is the energy of cells `row_first[r]` to `row_last[r]` (negative where the order is
    reversed) plus noise from the moves at its ends. The first `equation_count` rows are the counter
    intervals and then the spans of power samples, whose joules are `known_j`; the others are the
    anchors: the energy between the anchor's reference move and its instant.

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
        move_jitter_s: shape (m,), what they may stray from a line besides.
        move_cell: shape (m,), the cell that starts at each move.
        resolution_j: smallest step of the counter.
        sample_count: how many of the known rows are power samples.
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
    move_jitter_s: Floats
    move_cell: Ints
    resolution_j: float
    sample_count: int

    @property
    def equation_count(self) -> int:
        """Number of rows that are known: counter intervals, then power samples."""
        return len(self.known_j)

    @property
    def is_gap(self) -> NDArray[np.bool_]:
        """Shape (c,), whether no window is open in a cell."""
        found: NDArray[np.bool_] = self.label == 0
        return found


def build_panel(
    moves: Moves,
    timeline: Timeline,
    anchors: list[tuple[float, int]],
    span: tuple[float, float],
    lag: Lag = NO_LAG,
    samples: Samples = NO_SAMPLES,
) -> Panel:
    """Lay out the neighbourhood `span` (seconds) around the anchors (instant, reference move).

    Which counter intervals are equations does not depend on the lag, so that the evidence for one
    lag can be compared with that for another.
    """
    first, last, instants = _moves_around(moves, anchors, span)
    shown_s = instants.mean_s + 1e-9 * np.arange(last - first)
    times_s = shown_s - lag.lag_s
    moments = np.array([time_s for time_s, _ in anchors])
    references = np.array([ref - first for _, ref in anchors], dtype=int)
    shown_edges_s = _strictly_between(timeline.edges_s, shown_s[0], shown_s[-1])
    pairs = _equations(shown_s, shown_edges_s, moves.solid[first : last - 1])
    span_end_s, span_w = updates_near_edges(
        samples, moves.earliest_s[first:last], moves.latest_s[first:last], shown_s, shown_edges_s
    )
    span_end_s = span_end_s - lag.lag_s
    span_start_s = span_end_s - samples.averaging_s
    kept = np.unique(np.concatenate([np.ravel(pairs), references]))
    ends_s = np.array([min(times_s[0], moments.min()), max(times_s[-1], moments.max())])
    edges_s = _strictly_between(timeline.edges_s, *ends_s)
    bounds_s = np.unique(
        np.concatenate([times_s[kept], edges_s, moments, span_start_s, span_end_s, ends_s])
    )
    from_s = np.concatenate([times_s[pairs[:, 0]], span_start_s, times_s[references]])
    to_s = np.concatenate([times_s[pairs[:, 1]], span_end_s, moments])
    middles_s = (bounds_s[:-1] + bounds_s[1:]) / 2
    energy_j = moves.energy_j[first:last]
    counted_j = energy_j[pairs[:, 1]] - energy_j[pairs[:, 0]]
    return Panel(
        start_s=bounds_s[:-1],
        duration_s=np.diff(bounds_s),
        segment=timeline.segments(middles_s),
        label=_number(timeline.labels(middles_s)),
        row_first=np.searchsorted(bounds_s, from_s),
        row_last=np.searchsorted(bounds_s, to_s),
        known_j=np.concatenate([counted_j, span_w * samples.averaging_s]),
        noise=_move_noise(pairs, references, kept, len(span_w)),
        move_covariance_s2=instants.covariance_s2[np.ix_(kept, kept)] + lag.deviation_s**2,
        move_jitter_s=instants.jitter_s[kept],
        move_cell=np.minimum(np.searchsorted(bounds_s, times_s[kept]), len(middles_s) - 1),
        resolution_j=moves.resolution_j,
        sample_count=len(span_w),
    )


def _strictly_between(times_s: Floats, low_s: float, high_s: float) -> Floats:
    return times_s[(times_s > low_s) & (times_s < high_s)]


def _move_noise(pairs: Ints, references: Ints, kept: Ints, sample_count: int) -> Floats:
    """How the error of each kept move enters each row, shape (r, m)."""
    known = len(pairs) + sample_count
    noise = np.zeros((known + len(references), len(kept)))
    rows = np.arange(len(pairs))
    noise[rows, np.searchsorted(kept, pairs[:, 1])] += 1
    noise[rows, np.searchsorted(kept, pairs[:, 0])] -= 1
    noise[known + np.arange(len(references)), np.searchsorted(kept, references)] = -1
    return noise


def ask_cells(panel: Panel) -> Panel:
    """The same panel, asked for the energy of each of its cells."""
    count, cells = panel.equation_count, np.arange(len(panel.duration_s))
    return replace(
        panel,
        row_first=np.concatenate([panel.row_first[:count], cells]),
        row_last=np.concatenate([panel.row_last[:count], cells + 1]),
        noise=np.concatenate([panel.noise[:count], np.zeros((len(cells), panel.noise.shape[1]))]),
    )


def _moves_around(
    moves: Moves, anchors: list[tuple[float, int]], span: tuple[float, float]
) -> tuple[int, int, Instants]:
    """Range of moves in use, and their instants."""
    middle_s = moves.middle_s
    references = [ref for _, ref in anchors]
    first = min(int(np.searchsorted(middle_s, span[0])) - NEAR_COUNT - 1, *references, len(moves))
    last = max(int(np.searchsorted(middle_s, span[1])) + NEAR_COUNT + 1, *references, 0)
    first, last = max(first, 0), min(last + 1, len(moves))
    fit_first, fit_last = max(first - FIT_MARGIN, 0), min(last + FIT_MARGIN, len(moves))
    fitted = locate(moves, fit_first, fit_last)
    chosen = slice(first - fit_first, last - fit_first)
    instants = Instants(
        mean_s=fitted.mean_s[chosen],
        covariance_s2=fitted.covariance_s2[chosen, chosen],
        jitter_s=fitted.jitter_s[chosen],
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


def _number(labels: list[tuple[str, ...]]) -> Ints:
    numbers: dict[tuple[str, ...], int] = {GAP: 0}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=int)
