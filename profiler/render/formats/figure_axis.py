"""Axes of the figures: domains with some air, and ticks with their unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

# Units that take a prefix: 0.01 J is 10 mJ, but 0.5 % is no 500 m%.
_PREFIXED = frozenset({"J", "s", "W", "Wh", "B", "MAC", "MAC/s", "MAC/B", "B/s", "J/MAC"})
_UNSPOKEN = frozenset({"MAC"})
_AIR = 0.06


def domain_of(values: Sequence[float], *, is_log: bool) -> tuple[float, float]:
    """The ends of an axis that holds all finite values with some air around them."""
    finite = [value for value in values if math.isfinite(value)]
    if is_log:
        low, high = math.log10(min(finite)), math.log10(max(finite))
        air = max(_AIR * (high - low), 0.06)
        return 10 ** (low - air), 10 ** (high + air)
    low, high = min(finite), max(finite)
    # Equal values, such as one dot alone, still need an axis of some length.
    air = max(_AIR * (high - low), 0.05 * max(abs(low), abs(high)) if low == high else 0.0, 1e-12)
    return low - air if low < 0 or low - air > 0 else 0.0, high + air


def place_of(value: float, domain: tuple[float, float], length: float, *, is_log: bool) -> float:
    """How far along an axis of `length` a value stands, from 0 at the low end."""
    low, high = (math.log10(end) for end in domain) if is_log else domain
    return ((math.log10(value) if is_log else value) - low) / (high - low) * length


def tick_labels(unit: str) -> dict[str, Any]:
    """Ticks such as "10 mJ", "50 %" or "20 k"."""
    said = "" if unit in _UNSPOKEN else unit
    # A tick that has no label, between two powers of ten, is given no unit either.
    return {
        "format": "~s" if unit in _PREFIXED else ",.12~g",
        "labelExpr": "datum.label === '' ? '' : replace(datum.label, regexp('([a-zA-Zµ]?)$'), "
        f"'\u2009$1{said}')",
    }
