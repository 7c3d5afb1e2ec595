"""Axes with round ticks: from values to places on a figure, in SVG's coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

ROUND_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A tick of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The rectangle between the axes of a figure, and its ticks."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_marks: tuple[Mark, ...]
    y_marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class LinearAxis:
    """`count` equal steps from `low`, drawn from `start` to `end`."""

    low: float
    step: float
    count: int
    start: float
    end: float

    @classmethod
    def around(
        cls, low: float, high: float, start: float, end: float, *, ticks: int = 5
    ) -> LinearAxis:
        """The axis of about `ticks` round steps that holds `low` and `high`."""
        # Equal values, such as one point alone, still need an axis of some length.
        raw = max(high - low, abs(high) * 1e-6, 1e-9) / ticks
        order = 10.0 ** math.floor(math.log10(raw))
        step = order * next(factor for factor in ROUND_STEPS if factor * order >= raw * 0.999)
        first = math.floor(low / step + 1e-9) * step
        count = max(1, math.ceil((high - first) / step - 1e-9))
        return cls(first, step, count, start, end)

    def at(self, value: float) -> float:
        """The place of a value."""
        return round(self.start + self.length(value), 1)

    def length(self, value: float) -> float:
        """How far from the axis' start a value lies, unrounded."""
        share = (value - self.low) / (self.step * self.count)
        return share * (self.end - self.start)

    def values(self) -> list[float]:
        """The values of the ticks, shape (count + 1,)."""
        return [self.low + index * self.step for index in range(self.count + 1)]


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis between two powers of ten, drawn from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: list[float], start: float, end: float) -> LogAxis:
        """The axis of whole decades that holds all `values`, which are positive."""
        low = 10.0 ** math.floor(math.log10(min(values)))
        high = 10.0 ** math.ceil(math.log10(max(values) * 1.05))
        return cls(low, max(high, 10 * low), start, end)

    def at(self, value: float) -> float:
        """The place of a value; one outside the axis stands at its end."""
        span = math.log10(self.high / self.low)
        share = math.log10(min(max(value, self.low), self.high) / self.low) / span
        return round(self.start + share * (self.end - self.start), 1)

    def values(self) -> list[float]:
        """The powers of ten on it."""
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0**exponent for exponent in range(first, last + 1)]
