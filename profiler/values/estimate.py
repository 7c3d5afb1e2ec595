"""The only kind of number a user is shown: a value with its interval, its basis and its source."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from .units import show


class Basis(StrEnum):
    """Where a number comes from, strongest first."""

    COUNTED = "counted"
    MEASURED = "measured"
    ESTIMATED = "estimated"
    ASSUMED = "assumed"
    QUOTED = "quoted"

    @property
    def weakness(self) -> int:
        """0 for the strongest basis; a derived number takes the largest among its parts."""
        return _WEAKNESS[self]


_WEAKNESS = {basis: place for place, basis in enumerate(Basis)}


def weakest(bases: Iterable[Basis]) -> Basis:
    """The basis of a number derived from others."""
    return max(bases, key=lambda basis: basis.weakness)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate:
    """A value with the interval that holds the truth with probability `confidence`.

    Args:
        point: the best value, in `unit`.
        low: lower end of the interval; None where the source states none.
        high: upper end of the interval; None where the source states none.
        unit: SI or accepted symbol ("J", "s", "W", "kWh", "g", "B", "" for a plain number).
        confidence: coverage of [low, high]; 1.0 for what is counted, None without interval.
        basis: where the number comes from.
        source: the instrument, method or publication, for a person to read.
        systematic: relative error common to every reading of the same sensor (0.05 for ±5 %). It
            is not inside [low, high], and cancels in a ratio of two readings of that sensor.
        estimated_share: share of `point` (0 to 1) whose basis is weaker than measured.
    """

    point: float
    low: float | None
    high: float | None
    unit: str
    confidence: float | None
    basis: Basis
    source: str
    systematic: float | None = None
    estimated_share: float = 0.0

    def __post_init__(self) -> None:
        # Spelt out: a recording may have 100,000 windows.
        if math.isnan(self.point) or _is_nan(self.low) or _is_nan(self.high):
            raise ValueError(f"an Estimate cannot hold NaN: {(self.point, self.low, self.high)}")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"an interval has two ends: low={self.low}, high={self.high}")
        if self.low is not None and self.high is not None:
            slack = 1e-9 * max(abs(self.point), 1e-300)
            if not self.low - slack <= self.point <= self.high + slack:
                raise ValueError(f"{self.point} lies outside [{self.low}, {self.high}]")

    def __str__(self) -> str:
        return f"{show(self)} ({self.basis.value})"

    def __repr__(self) -> str:
        return f"<Estimate {self} of {self.point!r} {self.unit}: {self.source}>"

    @property
    def is_lower_bound(self) -> bool:
        """Whether it is a count that is known to be incomplete: one without an interval."""
        return self.basis is Basis.COUNTED and self.low is None

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval, in `unit`."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2

    @property
    def relative_half_width(self) -> float | None:
        """Half width over the value, as `--precision` asks for it; None without interval."""
        half_width = self.half_width
        if half_width is None or self.point == 0:
            return None
        return half_width / abs(self.point)

    def scaled(self, factor: float, unit: str) -> Estimate:
        """This number times an exact, positive factor: unit conversions and counts."""
        if factor <= 0:
            raise ValueError(f"a scale factor is positive, not {factor}")
        return replace(
            self,
            point=self.point * factor,
            low=None if self.low is None else self.low * factor,
            high=None if self.high is None else self.high * factor,
            unit=unit,
        )


def _is_nan(value: float | None) -> bool:
    return value is not None and math.isnan(value)


def counted(value: float, unit: str, source: str) -> Estimate:
    """An exact count."""
    return Estimate(
        point=value, low=value, high=value, unit=unit, confidence=1.0,
        basis=Basis.COUNTED, source=source,
    )  # fmt: skip


def stated(value: float, unit: str, basis: Basis, source: str) -> Estimate:
    """A number taken from somebody else, who states no interval."""
    return Estimate(
        point=value, low=None, high=None, unit=unit, confidence=None, basis=basis, source=source
    )


def _relative_sides(estimate: Estimate) -> tuple[float, float]:
    """Relative distance of both ends from the point; 0 where no interval is stated."""
    if estimate.low is None or estimate.high is None or estimate.point == 0:
        return 0.0, 0.0
    scale = abs(estimate.point)
    return (estimate.point - estimate.low) / scale, (estimate.high - estimate.point) / scale


def _with_interval(parts: tuple[Estimate, ...]) -> tuple[Estimate, ...]:
    """The parts whose intervals make up that of a derived number; () where it has none.

    An exact count beside a number whose interval nobody knows does not make that number exact.
    """
    stated_parts = tuple(part for part in parts if part.low is not None and part.high is not None)
    all_exact = all(part.low == part.high for part in stated_parts)
    return () if all_exact and len(stated_parts) < len(parts) else stated_parts


def _derived(point: float, unit: str, source: str, parts: tuple[Estimate, ...]) -> Estimate:
    """A product or quotient of independent positive parts: relative errors add in quadrature."""
    sides = [_relative_sides(part) for part in parts]
    stated_parts = _with_interval(parts)
    below = min(math.hypot(*(side[0] for side in sides)), 1.0)
    above = math.hypot(*(side[1] for side in sides))
    confidences = [part.confidence for part in stated_parts if part.confidence is not None]
    systematics = [part.systematic for part in parts if part.systematic is not None]
    return Estimate(
        point=point,
        low=point * (1 - below) if stated_parts else None,
        high=point * (1 + above) if stated_parts else None,
        unit=unit,
        confidence=min(confidences) if confidences else None,
        basis=weakest(part.basis for part in parts),
        source=source,
        systematic=math.hypot(*systematics) if systematics else None,
        estimated_share=max(part.estimated_share for part in parts),
    )


def product(first: Estimate, second: Estimate, *, unit: str, source: str) -> Estimate:
    """Multiply two numbers, both non-negative and independent."""
    return _derived(first.point * second.point, unit, source, (first, second))


def quotient(first: Estimate, second: Estimate, *, unit: str, source: str) -> Estimate | None:
    """Divide two numbers, both non-negative and independent; None where second is 0.

    The end for a second interval that reaches far towards 0 is the exact 1 / (1 - side), so that
    the interval of a quotient is not flattered by a first-order expansion.
    """
    if second.point == 0:
        return None
    below, above = _relative_sides(second)
    if below >= 1:
        return None
    inverse = replace(
        second,
        point=1 / second.point,
        low=None if second.low is None else 1 / (second.point * (1 + above)),
        high=None if second.high is None else 1 / (second.point * (1 - below)),
    )
    return _derived(first.point * inverse.point, unit, source, (first, inverse))


def total(parts: Iterable[Estimate], *, source: str) -> Estimate | None:
    """Sum of independent parts in one unit; None for no parts.

    The basis is the weakest of the parts, and `estimated_share` says how much of the sum is of a
    basis weaker than measured. Intervals add in quadrature; systematic errors, which may share a
    cause, add linearly.
    """
    parts = tuple(parts)
    if not parts:
        return None
    units = {part.unit for part in parts}
    if len(units) > 1:
        raise ValueError(f"cannot add different units: {sorted(units)}")
    point = math.fsum(part.point for part in parts)
    with_interval = _with_interval(parts)
    below = math.hypot(*(part.point - (part.low or 0.0) for part in with_interval))
    above = math.hypot(*((part.high or 0.0) - part.point for part in with_interval))
    confidences = [part.confidence for part in with_interval if part.confidence is not None]
    systematic = sum(abs(part.point) * (part.systematic or 0.0) for part in parts)
    weak = sum(abs(part.point) * _weak_share(part) for part in parts)
    scale = sum(abs(part.point) for part in parts)
    return Estimate(
        point=point,
        low=point - below if with_interval else None,
        high=point + above if with_interval else None,
        unit=units.pop(),
        confidence=min(confidences) if confidences else None,
        basis=weakest(part.basis for part in parts),
        source=source,
        systematic=systematic / scale if systematic and scale else None,
        estimated_share=weak / scale if scale else 0.0,
    )


def _weak_share(part: Estimate) -> float:
    if part.basis.weakness <= Basis.MEASURED.weakness:
        return 0.0
    return part.estimated_share or 1.0
