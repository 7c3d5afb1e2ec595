"""The part of a long recording that the joules of a few windows depend on.

Inference takes time and memory with the square of the moves it is given, and a training job may run
for weeks: the moves beside the edges decide, and between them one difference of the counter does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from profiler.values.trace import CounterTrace, Trace, Window

NEAR_COUNT = 24
BETWEEN_COUNT = 8
MARGIN_S = 5.0


def excerpt(traces: Sequence[Trace], targets: Sequence[Window]) -> tuple[Trace, ...]:
    """The traces with those moves that the windows' joules depend on.

    A dropped move merges two counter intervals, whose joules stay exact together. Kept are the
    moves beside each edge, beside each fault and on both sides of a reset. Power samples stay.
    """
    edges_s = [edge for window in targets for edge in _edges_s(window)]
    return tuple(
        _shortened(trace, edges_s) if isinstance(trace, CounterTrace) else trace for trace in traces
    )


def beside(
    windows: Sequence[Window], targets: Sequence[Window], margin_s: float = MARGIN_S
) -> tuple[Window, ...]:
    """The windows that begin or end within a few seconds of a target's edge."""
    edges_s = sorted(edge for window in targets for edge in _edges_s(window))
    return tuple(
        window
        for window in windows
        if any(_is_near(edge, edges_s, margin_s) for edge in _edges_s(window))
    )


def _edges_s(window: Window) -> tuple[float, ...]:
    return (window.start_s,) if window.end_s is None else (window.start_s, window.end_s)


def _is_near(edge_s: float, edges_s: Sequence[float], margin_s: float) -> bool:
    after = bisect_left(edges_s, edge_s - margin_s)
    return after < len(edges_s) and edges_s[after] <= edge_s + margin_s


def _shortened(trace: CounterTrace, edges_s: Sequence[float]) -> CounterTrace:
    count = len(trace.latest_s)
    anchors = {bisect_left(trace.latest_s, edge_s) for edge_s in edges_s}
    low, high = min(anchors), max(anchors)
    for fault in trace.faults:
        anchors.update(
            at
            for edge_s in (fault.start_s, fault.end_s)
            if edge_s is not None and low <= (at := bisect_left(trace.latest_s, edge_s)) <= high
        )
    inside = range(max(low, 1), min(high + 1, count))
    anchors.update(at for at in inside if trace.epoch[at] != trace.epoch[at - 1])
    ordered = sorted(anchors)
    kept = bytearray(count)
    for at in ordered:
        near = range(max(0, at - NEAR_COUNT), min(count, at + NEAR_COUNT))
        kept[near.start : near.stop] = b"\1" * len(near)
    for left, right in pairwise(ordered):
        for at in range(left, min(right, count), max(1, (right - left) // BETWEEN_COUNT)):
            kept[at] = 1
    chosen = [at for at in range(count) if kept[at]]
    if len(chosen) == count:
        return trace
    last_whole = max(0, high - NEAR_COUNT)
    thinned_s = trace.latest_s[min(last_whole, count - 1)]
    return replace(
        trace,
        earliest_s=tuple(trace.earliest_s[index] for index in chosen),
        latest_s=tuple(trace.latest_s[index] for index in chosen),
        energy_j=tuple(trace.energy_j[index] for index in chosen),
        epoch=tuple(trace.epoch[index] for index in chosen),
        thinned_before_s=max(thinned_s, trace.thinned_before_s or thinned_s),
    )
