"""Which readings of a full log are kept whole: those beside the edges of windows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

CAPACITY = 20_000
GUARD_SHARE = 1 / 8
MOST_GUARDED = 4


def beside_edges(times_s: Sequence[float], edges_s: Iterable[float]) -> set[int]:
    """Indices of the entries on either side of each edge: four, or fewer where edges are many.

    Never more than an eighth of the capacity, so that a thinned log has room again.
    """
    inside_s = [edge_s for edge_s in edges_s if times_s[0] <= edge_s <= times_s[-1]]
    width = min(MOST_GUARDED, int(CAPACITY * GUARD_SHARE) // (2 * max(1, len(inside_s))))
    beside: set[int] = set()
    for edge_s in inside_s:
        middle = bisect_left(times_s, edge_s)
        beside.update(range(max(0, middle - width), min(len(times_s), middle + width)))
    return beside
