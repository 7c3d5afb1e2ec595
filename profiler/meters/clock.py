"""The one clock. Everything that needs the time is handed one of these."""

from __future__ import annotations

import math
import time
from typing import Protocol

READ_ATTEMPTS = 5
HELD_UP_S = 1e-3
# A suspension shorter than this cannot be told from a thread that was held up.
LEAST_SUSPENSION_S = 0.02


class Clock(Protocol):
    """Seconds that never jump."""

    def now_s(self) -> float:
        """The present instant."""


class MonotonicClock:
    """CLOCK_MONOTONIC, shared by every process of the host and untouched by changes of the date."""

    def now_s(self) -> float:
        return time.monotonic_ns() / 1e9

    def suspended_s(self) -> float:
        """Seconds since the boot in which the machine was suspended, and this clock stood still.

        Too high by as much as the thread is held up between its two readings, so that the least of
        several is taken where that may have been.
        """
        least_s = math.inf
        for _ in range(READ_ATTEMPTS):
            before_s = time.clock_gettime(time.CLOCK_MONOTONIC)
            boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
            least_s = min(least_s, boot_s - before_s)
            if time.clock_gettime(time.CLOCK_MONOTONIC) - before_s < HELD_UP_S:
                break
        return least_s


def suspended_s(clock: Clock) -> float:
    """Seconds for which a clock stood still; 0 for one that does not tell."""
    tell = getattr(clock, "suspended_s", None)
    return 0.0 if tell is None else float(tell())
