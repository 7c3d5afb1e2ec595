"""How much of a study's time is left, and which cells may begin in it."""

from __future__ import annotations

import time
from collections.abc import Callable

from profiler.values.units import show_duration

from .cell import Cell, CellEnd
from .expected_time import Past, expected_s


class TimeLeft:
    """A number of seconds from now on, for all cells of a study together.

    Args:
        seconds: of them.
        past: cells of any study, and how they ended: what says how long others will take.
        now_s: a clock.
    """

    def __init__(
        self, seconds: float, past: Past, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._end_s, self._past, self._now_s = now_s() + seconds, list(past), now_s

    @property
    def left_s(self) -> float:
        """Seconds until the end; 0 after it."""
        return max(0.0, self._end_s - self._now_s())

    def learn(self, cell: Cell, end: CellEnd) -> None:
        """What a cell took says what those like it will take."""
        self._past.append((cell, end))

    def limit_s(self, cell: Cell) -> float:
        """After how many seconds a cell that begins now must be ended."""
        return min(self.left_s, float("inf") if cell.limit_s is None else cell.limit_s)

    def refusal(self, cell: Cell) -> str:
        """Why a cell may not begin now, in one sentence; "" where it may.

        One that nothing like has run yet is taken to use its whole limit, so that what has no
        limit begins as long as there is any time.
        """
        left_s = self.left_s
        limit_s = 0.0 if cell.limit_s is None else cell.limit_s
        known_s = expected_s(cell, self._past)
        wanted_s = limit_s if known_s is None else min(known_s, limit_s or known_s)
        if left_s > 0 and wanted_s <= left_s:
            return ""
        return (
            f"not begun: it may take {show_duration(wanted_s)}, and {show_duration(left_s)} of the "
            "time were left"
        )
