"""Joules of phases by the sensors' latest readings: rough, and known as soon as a phase ends.

What a host's own machinery decides by at the end of an epoch (which checkpoint to keep) cannot
wait for the counter move that settles it; logs and reports get what is settled.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from profiler.values.estimate import Estimate


class LatestReadings:
    """Adds up phases from a total that grows.

    Args:
        so_far_j: joules until now; None where no sensor tells.
    """

    def __init__(self, so_far_j: Callable[[], Estimate | None]) -> None:
        self._so_far_j = so_far_j
        self._open: tuple[str, Estimate | None] | None = None
        self._parts: dict[str, tuple[float, float]] = {}

    def enter(self, phase: str) -> None:
        """A phase begins now, and the one before it ends; nothing where it is the same."""
        if self._open is None or self._open[0] != phase:
            self.leave()
            self._open = (phase, self._so_far_j())

    def leave(self) -> None:
        """What begins now is no phase."""
        if self._open is not None:
            phase, begun_j = self._open
            point, half = self._parts.get(phase, (0.0, 0.0))
            more, rough = _between(begun_j, self._so_far_j())
            self._parts[phase] = (point + more, half + rough)
            self._open = None

    def forget(self) -> None:
        """Begin anew: the phases of another epoch have the same names."""
        self._open, self._parts = None, {}

    def joules(self, phase: str) -> float:
        """Of a phase until now; NaN where no sensor tells, or its readings are too far apart."""
        point, half = self._parts.get(phase, (0.0, 0.0))
        if self._open is not None and self._open[0] == phase:
            more, rough = _between(self._open[1], self._so_far_j())
            point, half = point + more, half + rough
        return point if point > half else math.nan


def _between(begin: Estimate | None, end: Estimate | None) -> tuple[float, float]:
    """Joules between two instants, and how far they may be off."""
    if begin is None or end is None:
        return math.nan, math.nan
    return end.point - begin.point, (begin.half_width or 0.0) + (end.half_width or 0.0)
