"""Reading a bound that a person wrote: "0.5 mJ", "3 ms", "1.2 MB", "90 %"."""

from __future__ import annotations

import math
import re

from profiler.errors import UsageError

_FORM = re.compile(r"\s*([-+0-9.eE_]+)\s*(.*?)\s*")
_PREFIXES = {
    "p": 1e-12, "n": 1e-9, "µ": 1e-6, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9,
    "T": 1e12,
}  # fmt: skip
_ONE_HOUR_S = 3600.0
# What else a unit may be written in: unit of a quantity -> written unit -> how many of the first.
_OTHER_WORDS = {
    "J": {"Wh": _ONE_HOUR_S},
    "kWh": {"Wh": 1e-3, "J": 1e-3 / _ONE_HOUR_S},
    "": {"%": 0.01},
}


def read_bound(text: str, unit: str) -> float:
    """A bound in the unit of the quantity that it limits.

    Args:
        text: a positive number and a unit, with a decimal prefix: 1 kB is 1,000 B.
        unit: of the quantity: "J", "s", "B", "W", "kWh", "g", "item/s", "" for a plain number.

    Raises:
        UsageError: it is no number, not positive, or of another unit.
    """
    found = _FORM.fullmatch(text)
    try:
        number = float(found[1]) if found else math.nan
    except ValueError:
        number = math.nan
    if found is None or not (math.isfinite(number) and number > 0):
        raise UsageError(f"'{text}' is no bound", hint=_how(unit))
    factor = _factor(found[2], unit)
    if factor is None:
        wanted = f"a bound in {unit}" if unit else "a plain number or a share in %"
        raise UsageError(f"'{text}' is not {wanted}", hint=_how(unit))
    return number * factor


def _factor(written: str, unit: str) -> float | None:
    if written == unit:
        return 1.0
    known = {unit: 1.0, **_OTHER_WORDS.get(unit, {})}
    for base, factor in known.items():
        prefix = written.removesuffix(base)
        # Of a plain number the small prefixes would be too easily taken for something else.
        is_allowed = prefix in _PREFIXES and (bool(base) or _PREFIXES[prefix] > 1)
        if written.endswith(base) and is_allowed:
            return factor * _PREFIXES[prefix]
    return None


def _how(unit: str) -> str:
    example = {"J": "0.5 mJ", "s": "3 ms", "B": "1.2 MB", "W": "20 W", "kWh": "0.7 Wh", "g": "2 g"}
    return f'write a number and its unit: "{example.get(unit, f"100 {unit}".strip())}"'
