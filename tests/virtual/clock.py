"""A clock that moves only when it is told to: seconds pass in tests without being waited for."""

from __future__ import annotations


class FakeClock:
    """A `profiler.clock.Clock`; `sleep` is `advance` under the name waiting code expects."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_s = start_s
        self._suspended_s = 0.0

    def now_s(self) -> float:
        return self._now_s

    def advance(self, duration_s: float) -> None:
        if duration_s < 0:
            raise ValueError(f"time does not run backwards: {duration_s}")
        self._now_s += duration_s

    def advance_to(self, instant_s: float) -> None:
        self.advance(instant_s - self._now_s)

    sleep = advance

    def suspend(self, duration_s: float) -> None:
        """The lid is closed: this clock stands still, and the rest of the world does not."""
        self._suspended_s += duration_s

    def suspended_s(self) -> float:
        return self._suspended_s
