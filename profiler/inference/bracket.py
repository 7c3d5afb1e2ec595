"""Bounds on the energy of a target that hold whatever the power does in between."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .moves import Moves

Span = tuple[float, float]


def guaranteed_bounds(moves: Moves, spans: Sequence[Span]) -> tuple[float, float]:
    """Joules between which the target must lie, for an honest counter.

    A span holds at least the energy between two moves that surely fell inside it, and at most
    that between the moves that surely fell outside. Spans that share a counter interval are
    bounded together, so that it is not counted once for each.

    Args:
        moves: the counter.
        spans: (start, end) of each window in seconds; where they overlap, the energy counts as
            often as the target names it.
    """
    low_j, high_j = 0.0, 0.0
    for layer in _layers(spans):
        low_j += sum(_inner(moves, start, end) for start, end in layer)
        high_j += _outer(moves, layer)
    return max(low_j, 0.0), high_j


def _layers(spans: Sequence[Span]) -> list[list[Span]]:
    """Disjoint spans: layer j holds the time at which more than j spans are open."""
    edges = sorted(
        [(start, 1) for start, end in spans if end > start]
        + [(end, -1) for start, end in spans if end > start]
    )
    layers: list[list[Span]] = []
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


def _inner(moves: Moves, start: float, end: float) -> float:
    first = int(np.searchsorted(moves.earliest_s, start, side="left"))
    last = int(np.searchsorted(moves.latest_s, end, side="right")) - 1
    if last <= first:
        return 0.0
    known = np.diff(moves.energy_j[first : last + 1])[moves.solid[first:last]]
    breaks = int((~moves.solid[first:last]).sum())
    return max(float(known.sum()) - moves.resolution_j * (breaks + 1), 0.0)


def _outer(moves: Moves, layer: Sequence[Span]) -> float:
    hulls: list[list[int]] = []
    for start, end in layer:
        first = int(np.searchsorted(moves.latest_s, start, side="right")) - 1
        last = int(np.searchsorted(moves.earliest_s, end, side="left"))
        if first < 0 or last >= len(moves):
            return math.inf
        if hulls and first <= hulls[-1][1]:
            hulls[-1][1] = max(hulls[-1][1], last)
        else:
            hulls.append([first, last])
    if any(not moves.solid[first:last].all() for first, last in hulls):
        return math.inf
    spent_j = sum(float(moves.energy_j[last] - moves.energy_j[first]) for first, last in hulls)
    return spent_j + moves.resolution_j * len(hulls)
