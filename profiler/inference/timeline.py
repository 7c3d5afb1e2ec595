"""Windows as labelled segments of time: what was open when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from profiler.values.trace import Window

from .moves import Floats

GAP: tuple[str, ...] = ()


def closed_span(window: Window, now_s: float | None) -> tuple[float, float]:
    """Start and end of a window; an open one ends now, or where it starts if now is not known."""
    end_s = window.end_s if window.end_s is not None else now_s
    return window.start_s, max(window.start_s, window.start_s if end_s is None else end_s)


class Timeline:
    """The edges of all windows of a recording, and the set of names open between them.

    Segments with one set of names did the same work. Where no window is open the segment is a
    gap, and all gaps are alike.
    """

    def __init__(self, windows: Sequence[Window], now_s: float | None) -> None:
        spans = [closed_span(window, now_s) for window in windows]
        self._names = [window.name for window in windows]
        self._starts_s = np.array([start for start, _ in spans], dtype=float)
        self._ends_s = np.array([end for _, end in spans], dtype=float)
        self.edges_s: Floats = np.unique(np.concatenate([self._starts_s, self._ends_s]))

    def moved(self, instants: Mapping[float, float]) -> Timeline:
        """The same windows with some edges elsewhere, none beyond the middle between two."""
        edges_s = self.edges_s
        room_s = 0.45 * np.diff(edges_s, prepend=-np.inf, append=np.inf)
        shift_s = np.array([instants.get(float(edge_s), edge_s) - edge_s for edge_s in edges_s])
        places_s = edges_s + np.clip(shift_s, -room_s[:-1], room_s[1:])
        timeline = Timeline((), None)
        timeline._names = self._names
        timeline._starts_s = places_s[np.searchsorted(edges_s, self._starts_s)]
        timeline._ends_s = places_s[np.searchsorted(edges_s, self._ends_s)]
        timeline.edges_s = places_s
        return timeline

    def segments(self, times_s: Floats) -> NDArray[np.int_]:
        """Number of the segment in which each instant lies."""
        return np.searchsorted(self.edges_s, times_s, side="right")

    def labels(self, times_s: Floats) -> list[tuple[str, ...]]:
        """Names open at each instant, sorted; `GAP` where there are none."""
        if not len(times_s):
            return []
        near = np.flatnonzero((self._starts_s <= times_s.max()) & (self._ends_s > times_s.min()))
        starts_s, ends_s = self._starts_s[near], self._ends_s[near]
        found = []
        for time_s in times_s:
            open_now = near[(starts_s <= time_s) & (time_s < ends_s)]
            found.append(tuple(sorted({self._names[i] for i in open_now})))
        return found
