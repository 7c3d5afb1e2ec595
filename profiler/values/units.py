"""The only place where numbers become text.

Two rules. No digit is shown that the interval does not support: the last digit shown is the last
that the half width of the interval can speak of (its first significant digit, or its second where
the first is 1, as the GUM does). And what was not seen is said to be so, never shown as 0.

Prefixes are decimal throughout: 1 kB = 1e3 B, 1 MB = 1e6 B, 1 GB = 1e9 B.
"""

from __future__ import annotations

import math
from typing import Protocol


class Number(Protocol):
    """What is needed of an `Estimate` to print it."""

    @property
    def point(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def is_lower_bound(self) -> bool: ...


NOT_SEEN = "not seen"

_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
_SMALLEST, _LARGEST = min(_PREFIXES), max(_PREFIXES)

# Prefixes that a unit may not take: there is no kilosecond in a report, and no millibyte.
_LIMITS = {
    "s": (_SMALLEST, 0),
    "min": (0, 0),
    "h": (0, 0),
    "g": (_SMALLEST, 3),
    "B": (0, _LARGEST),
    "MAC": (0, _LARGEST),
    "inference": (0, _LARGEST),
    "item/s": (0, 0),
    "image/s": (0, 0),
    "image/J": (0, 0),
    "nat": (0, 0),
    "%": (0, 0),
    "x": (0, 0),
    "": (0, 0),
}
# Stored in a unit that already has a prefix: unit -> (its base, power of ten).
_REBASED = {"kWh": ("Wh", 3)}
_GLUED = frozenset({"x"})
# What a number counts is said by its label: "MACs per call  12,159,488".
_UNSPOKEN = frozenset({"MAC", "parameter", "item", "inference"})

_DIGITS_WITHOUT_INTERVAL = 3
_DIGITS_OF_A_COUNT = 4
_MOST_DIGITS = 6
_ASYMMETRY = 1.25


def show(estimate: Number | None) -> str:
    """A number as reports print it: "12.3 ± 0.2 mJ", "1.23 [1.20, 1.31] ms", "258,292".

    An interval whose sides differ by more than a quarter is printed by its ends. A count that is
    known to be incomplete is "≥ 1,234".
    """
    if estimate is None:
        return NOT_SEEN
    sign = "≥ " if estimate.is_lower_bound else ""
    if _is_whole_count(estimate):
        return sign + _with_unit(f"{round(estimate.point):,}", "", estimate.unit)
    return sign + show_number(estimate.point, estimate.unit, estimate.low, estimate.high)


def show_short(estimate: Number | None) -> str:
    """The same, with exact counts cut to four digits: "555.4 M"."""
    if estimate is None:
        return NOT_SEEN
    if estimate.low == estimate.high == estimate.point:
        is_plain_count = estimate.unit == "" and _is_whole_count(estimate)
        unit = "item" if is_plain_count else estimate.unit
        return _show_rounded(estimate.point, unit, _DIGITS_OF_A_COUNT)
    shown = show_number(estimate.point, estimate.unit, estimate.low, estimate.high)
    return f"≥ {shown}" if estimate.is_lower_bound else shown


def show_point(estimate: Number | None) -> str:
    """The value without its interval, but with no more digits than the interval supports."""
    if estimate is None:
        return NOT_SEEN
    return show(estimate).split(" ± ")[0].split(" [")[0] + _tail(show(estimate))


def show_number(
    value: float, unit: str, low: float | None = None, high: float | None = None
) -> str:
    """Format a value in `unit`, with its interval if it has one."""
    if low is None or high is None:
        return _show_rounded(value, unit, _DIGITS_WITHOUT_INTERVAL)
    if not math.isfinite(value):
        return f"{_plain(value, 0)} {unit}".strip()
    if low == high:
        return _show_rounded(value, unit, _DIGITS_OF_A_COUNT)
    return _show_interval(value, unit, low, high)


def show_count(count: int | None) -> str:
    """A whole number in full: "11,220,132"."""
    return NOT_SEEN if count is None else f"{count:,}"


def show_share(share: float | None, half_width: float | None = None) -> str:
    """A share of 1 as percent, two digits or those that are known: "3.1 %", "9.62 ± 0.08 %"."""
    if share is None:
        return NOT_SEEN
    percent = 100 * share
    if half_width:
        decimals = _decimals_for(100 * half_width, 1)
        return f"{_plain(percent, decimals)} ± {_plain(100 * half_width, decimals)} %"
    return f"{_plain(percent, _decimals_for(percent, 2))} %"


def show_duration(seconds: float | None) -> str:
    """How long something takes, for planning the day: "12 s", "3 min 05 s", "1 h 02 min"."""
    if seconds is None:
        return NOT_SEEN
    if 0 < seconds < 1:
        return "under 1 s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest_s:02} s" if minutes else f"{rest_s} s"


def _show_interval(value: float, unit: str, low: float, high: float) -> str:
    below, above = value - low, high - value
    sides = [side for side in (below, above) if side > 0 and math.isfinite(side)]
    magnitude = max(abs(value), *(sides or [0.0]))
    base, shift = _REBASED.get(unit, (unit, 0))
    error_decimals = _decimals_of_error(min(sides or [magnitude]))
    most_decimals = _decimals_for(magnitude, _MOST_DIGITS)
    # The prefix is chosen for the value as it will be shown: 999.99 ± 0.5 mJ is 1.0000 J.
    shown = max(round(abs(value), error_decimals), magnitude)
    exponent = _exponent_for(shown, unit)
    scale = 10.0 ** (shift - exponent)
    decimals = min(error_decimals, most_decimals) - (shift - exponent)
    point = _plain(value * scale, decimals)
    if math.isfinite(high) and max(below, above) <= _ASYMMETRY * max(min(below, above), 0.0):
        half_width = max((high - low) / 2 * scale, 10.0**-decimals)
        text = f"{point} ± {_plain(half_width, decimals)}"
    else:
        near = _plain(low * scale, _decimals_of_near_end(low * scale, decimals))
        text = f"{point} [{near}, {_plain(high * scale, decimals)}]"
    return _with_unit(text, _PREFIXES[exponent], base)


def _decimals_of_near_end(low: float, decimals: int) -> int:
    """Decimals of the lower end of a wide interval.

    One that would round to 0 keeps digits of its own: [0, 19110] denies what [1.2, 19110] says.
    """
    if low < 0.01 or (round(low, decimals) > 0 and decimals > 0) or low >= 10:
        return decimals
    return max(decimals, _decimals_for(low, 2))


def _show_rounded(value: float, unit: str, digits: int) -> str:
    if not math.isfinite(value):
        return f"{_plain(value, 0)} {unit}".strip()
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = _exponent_for(abs(rounded), unit)
    base, shift = _REBASED.get(unit, (unit, 0))
    scaled = rounded * 10.0 ** (shift - exponent)
    text = _plain(scaled, _decimals_for(scaled, digits))
    if digits == _DIGITS_WITHOUT_INTERVAL and "." in text:
        # Nobody stated that the zeros are known: a quoted 0.42 does not become 0.420.
        text = text.rstrip("0").rstrip(".")
    return _with_unit(text, _PREFIXES[exponent], base)


def _is_whole_count(estimate: Number) -> bool:
    exact = estimate.low == estimate.high == estimate.point and estimate.confidence == 1.0
    if not exact or not math.isfinite(estimate.point) or estimate.unit == "B":
        return False
    return abs(estimate.point - round(estimate.point)) <= 1e-9 * max(1.0, abs(estimate.point))


def _exponent_for(magnitude: float, unit: str) -> int:
    """Power of ten of the prefix that leaves 1 to 999 in front of the unit."""
    base, shift = _REBASED.get(unit, (unit, 0))
    lowest, highest = _LIMITS.get(base, (_SMALLEST, _LARGEST))
    if magnitude == 0 or not math.isfinite(magnitude):
        return min(max(shift, lowest), highest)
    order = math.floor(math.log10(magnitude) + 1e-12) + shift
    return min(max(3 * (order // 3), lowest), highest)


def _decimals_of_error(half_width: float) -> int:
    """Decimals that a half width supports: its first digit, or its second where the first is 1."""
    order = math.floor(math.log10(half_width))
    leading = round(half_width / 10.0**order, 6)
    return -order + (1 if leading < 2 else 0)


def _decimals_for(value: float, digits: int) -> int:
    if value == 0 or not math.isfinite(value):
        return 0
    return digits - 1 - math.floor(math.log10(abs(value)) + 1e-12)


def _plain(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    rounded = round(value, decimals)
    return f"{rounded + 0.0:,.{max(decimals, 0)}f}"


def _with_unit(number: str, prefix: str, unit: str) -> str:
    if unit in _UNSPOKEN:
        unit = ""
    if unit in _GLUED:
        return f"{number}{unit}"
    return f"{number} {prefix}{unit}".rstrip()


def _tail(text: str) -> str:
    """The unit at the end of a shown interval; "" where the text has none."""
    if " ± " not in text and " [" not in text:
        return ""
    last = text.rsplit(" ", 1)[-1]
    if last.endswith("x"):
        return "x"
    return f" {last}" if last[0].isalpha() or last[0] in "µ%" else ""
