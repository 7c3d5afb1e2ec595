"""Bounds on the energy of a target that hold whatever the power does in between."""

from __future__ import annotations

import numpy as np

from .anchors import Spans, add_up
from .moves import Floats, Moves
from .timeline import Ints

NARROW = 1e-6  # in deviations: below, rounding is all that is left of a difference


def guaranteed_bounds(moves: Moves, spans: Spans) -> tuple[Floats, Floats]:
    """Joules between which each target must lie, for an honest counter; shape (targets,) each.

    A span holds at least the energy between two moves that surely fell inside it, and at most
    that between the moves that surely fell outside. Spans of a target that share a counter interval
    are bounded together, so that it is not counted once for each; where they overlap, the energy
    counts as often as the target names it.
    """
    if not len(spans.target):
        return np.zeros(spans.target_count), np.zeros(spans.target_count)
    layers, layer = _layers(spans)
    low_j = layers.sum(_inner_j(moves, layers))
    hulls, first, last = _hulls(moves, layers, layer)
    broken = np.concatenate([[0], np.cumsum(~moves.solid)])
    outside = (first < 0) | (last >= len(moves))
    first, last = np.maximum(first, 0), np.minimum(last, len(moves) - 1)
    spent_j = moves.energy_j[last] - moves.energy_j[first] + moves.resolution_j
    spent_j[outside | (broken[last] > broken[first])] = np.inf
    return np.maximum(low_j, 0.0), add_up(hulls, spent_j, spans.target_count)


def _layers(spans: Spans) -> tuple[Spans, Ints]:
    """Spans that do not overlap within a target, in order; touching ones are joined.

    Layer j of a target holds the time at which more than j of its spans are open. Also returned is
    the layer of each span, shape (s,).
    """
    order = np.lexsort((spans.start_s, spans.target))
    target, start_s, end_s = spans.target[order], spans.start_s[order], spans.end_s[order]
    same = target[1:] == target[:-1]
    if not (same & (start_s[1:] < end_s[:-1])).any():
        fresh = np.concatenate([[True], ~same | (start_s[1:] > end_s[:-1])])
        begins = np.flatnonzero(fresh[: len(target)])
        ends = np.append(begins[1:], len(target)) - 1
        joined = Spans(
            target=target[begins], start_s=start_s[begins], end_s=end_s[ends],
            target_count=spans.target_count,
        )  # fmt: skip
        return joined, np.zeros(len(begins), dtype=int)
    found: list[tuple[int, int, float, float]] = []
    bounds = np.flatnonzero(np.concatenate([[True], ~same, [True]]))
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        for layer, pieces in enumerate(_stacked(start_s[a:b].tolist(), end_s[a:b].tolist())):
            found += [(int(target[a]), layer, start, end) for start, end in pieces]
    columns = list(zip(*found, strict=True))
    stacked = Spans(
        target=np.array(columns[0]), start_s=np.array(columns[2]), end_s=np.array(columns[3]),
        target_count=spans.target_count,
    )  # fmt: skip
    return stacked, np.array(columns[1])


def _stacked(starts_s: list[float], ends_s: list[float]) -> list[list[tuple[float, float]]]:
    edges = sorted([(start, 1) for start in starts_s] + [(end, -1) for end in ends_s])
    layers: list[list[tuple[float, float]]] = []
    opened: list[float] = []
    for time_s, step in edges:
        if step > 0:
            opened.append(time_s)
            continue
        start = opened.pop()
        while len(layers) <= len(opened):
            layers.append([])
        layer = layers[len(opened)]
        if layer and layer[-1][1] == start:
            layer[-1] = (layer[-1][0], time_s)
        elif start < time_s:
            layer.append((start, time_s))
    return layers


def _inner_j(moves: Moves, spans: Spans) -> Floats:
    """Energy between the first and the last move that surely lie inside, for each span."""
    solid_j = np.where(moves.solid, np.diff(moves.energy_j), 0.0)
    shown_j = np.concatenate([[0.0], np.cumsum(solid_j)])
    broken = np.concatenate([[0], np.cumsum(~moves.solid)])
    first = np.searchsorted(moves.earliest_s, spans.start_s, side="left")
    last = np.searchsorted(moves.latest_s, spans.end_s, side="right") - 1
    told = last > first
    first, last = np.where(told, first, 0), np.where(told, last, 0)
    step_j = moves.resolution_j * (broken[last] - broken[first] + 1)
    return np.where(told, np.maximum(shown_j[last] - shown_j[first] - step_j, 0.0), 0.0)


def _hulls(moves: Moves, spans: Spans, layer: Ints) -> tuple[Ints, Ints, Ints]:
    """Target, first and last move of the runs of intervals that the spans touch."""
    first = np.searchsorted(moves.latest_s, spans.start_s, side="right") - 1
    last = np.searchsorted(moves.earliest_s, spans.end_s, side="left")
    key = spans.target * (int(layer.max(initial=0)) + 1) + layer
    order = np.lexsort((spans.start_s, key))
    first, last, key, target = first[order], last[order], key[order], spans.target[order]
    # Within a layer the spans follow each other, so that the last move never falls.
    fresh = np.concatenate([[True], (key[1:] != key[:-1]) | (first[1:] > last[:-1])])
    begins = np.flatnonzero(fresh[: len(key)])
    ends = np.append(begins[1:], len(key)) - 1
    return target[begins], first[begins], last[ends]


def mean_within(mean_j: Floats, deviation_j: Floats, low_j: Floats, high_j: Floats) -> Floats:
    """Mean of a normal number that is known to lie in a bracket, shape of the arguments.

    So a window of which hardly anything is known is not told as the end of its bracket, such as
    0 J. Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions 1, 2nd ed., 1994,
    section 10.1.
    """
    from scipy.special import erfcx

    deviation_j = np.maximum(deviation_j, 1e-12)
    low, high = (low_j - mean_j) / deviation_j, (high_j - mean_j) / deviation_j
    # By symmetry the nearer end is below, where scaled functions do not lose its tail.
    is_mirrored = low + high < 0
    near, far = np.where(is_mirrored, -high, low), np.where(is_mirrored, -low, high)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        lost = (far**2 - near**2) / 2
        tails = erfcx(near / np.sqrt(2)) - np.exp(-lost) * erfcx(far / np.sqrt(2))
        pulled = np.sqrt(2 / np.pi) * -np.expm1(-lost) / tails
    within_j = mean_j + np.where(is_mirrored, -pulled, pulled) * deviation_j
    is_narrow = far - near < NARROW
    middle_j = low_j + np.where(is_narrow, high_j - low_j, 0.0) / 2
    return np.clip(np.where(is_narrow, middle_j, within_j), low_j, high_j)
