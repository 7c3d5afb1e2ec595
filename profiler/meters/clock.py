"""The one clock. Everything that needs the time is handed one of these."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never jump."""

    def now_s(self) -> float:
        """The present instant."""


class MonotonicClock:
    """CLOCK_MONOTONIC, shared by every process of the host and untouched by changes of the date."""

    def now_s(self) -> float:
        return time.monotonic_ns() / 1e9
