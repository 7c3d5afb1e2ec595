"""Windows as labelled segments of time: what was open when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from profiler.values.trace import Window

from .moves import Floats

Ints = NDArray[np.int_]
Label = tuple[str, ...]
GAP: Label = ()
EDGE_KIND_COUNT = 3


def closed_span(window: Window, now_s: float | None) -> tuple[float, float]:
    """Start and end of a window; an open one ends now, or where it starts if now is not known."""
    end_s = window.end_s if window.end_s is not None else now_s
    return window.start_s, max(window.start_s, window.start_s if end_s is None else end_s)


class Timeline:
    """The edges of all windows of a recording, and the set of names open between them.

    Segments with one set of names did the same work. Where no window is open the segment is a
    gap.

    Args:
        windows: of the recording.
        now_s: end of windows that are still open.

    Attributes:
        edges_s: shape (n,), rising.
        labels: the sets of names, `GAP` first.
        label_of: shape (n + 1,), which of them is open in each segment; 0 is a gap.
    """

    def __init__(self, windows: Sequence[Window], now_s: float | None) -> None:
        spans = [closed_span(window, now_s) for window in windows]
        times_s = np.array(spans, dtype=float).reshape(-1, 2)
        self.edges_s: Floats = np.unique(times_s)
        starts, ends = (np.searchsorted(self.edges_s, times_s[:, i]).tolist() for i in (0, 1))
        opening: list[list[str]] = [[] for _ in self.edges_s]
        closing: list[list[str]] = [[] for _ in self.edges_s]
        for window, start, end in zip(windows, starts, ends, strict=True):
            if start < end:
                opening[start].append(window.name)
                closing[end].append(window.name)
        numbers: dict[Label, int] = {GAP: 0}
        open_now: dict[str, int] = {}
        label_of = [0]
        for opened, closed in zip(opening, closing, strict=True):
            for name in opened:
                open_now[name] = open_now.get(name, 0) + 1
            for name in closed:
                open_now[name] -= 1
                if not open_now[name]:
                    del open_now[name]
            label_of.append(numbers.setdefault(tuple(sorted(open_now)), len(numbers)))
        self.labels: tuple[Label, ...] = tuple(numbers)
        self.label_of: Ints = np.array(label_of)

    @classmethod
    def of_segments(cls, edges_s: Floats, label_of: Ints) -> Timeline:
        """A timeline whose segments are known already."""
        timeline = cls((), None)
        timeline.edges_s, timeline.label_of = edges_s, label_of
        return timeline

    def moved(self, shifts_s: Floats) -> Timeline:
        """The same segments with their edges elsewhere, none beyond the middle between two."""
        room_s = 0.45 * np.diff(self.edges_s, prepend=-np.inf, append=np.inf)
        places_s = self.edges_s + np.clip(shifts_s, -room_s[:-1], room_s[1:])
        return Timeline.of_segments(places_s, self.label_of)

    def segments(self, times_s: Floats) -> Ints:
        """Number of the segment in which each instant lies."""
        return np.searchsorted(self.edges_s, times_s, side="right")


def kinds_of_edges(label_of: Ints) -> Ints:
    """Of each edge between two labels: 0 out of a gap, 1 into a gap, 2 between windows."""
    before, after = label_of[:-1], label_of[1:]
    kinds: Ints = np.where(before == 0, 0, np.where(after == 0, 1, 2))
    return kinds
