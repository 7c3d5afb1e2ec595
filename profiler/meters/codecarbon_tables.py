"""CodeCarbon's own data and rules, read from its installed files without importing it.

Importing `codecarbon` starts `nvidia-smi` and `rocm-smi`, initialises NVML and sets up a logger;
its first tracker runs `cpuinfo` for seconds. None of that may happen to somebody who records
joules. So its data files are read as they are, and its rules (unchanged from 3.2 to 3.3) are
applied here; a test holds the results against the installed CodeCarbon.
"""

from __future__ import annotations

import csv
import re
import string
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

WATTS_PER_UNKNOWN_THREAD = 4.0
CPU_TABLE = "data/hardware/cpu_power.csv"
COUNTRY_TABLE = "data/private_infra/global_energy_mix.json"
GIB = 1024**3
_TO_SPACES = dict.fromkeys(map(ord, string.punctuation + "\u00ae\u2122"), " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonIntensity:
    """Grams of CO2 equivalent per kWh of a country's grid in one year."""

    value_g_per_kwh: float
    year: int | None
    source: str


@cache
def package_folder() -> Path | None:
    """Where CodeCarbon is installed; None where it is not."""
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


@cache
def package_version() -> str:
    """CodeCarbon's version as "3.3"; "" where it cannot be told."""
    folder = package_folder()
    try:
        text = (folder / "_version.py").read_text(encoding="utf-8") if folder else ""
    except OSError:
        return ""
    match = re.search(r"(\d+\.\d+)", text)
    return match.group(1) if match else ""


@cache
def cpu_tdp_w(model: str) -> float | None:
    """Thermal design power of one socket from CodeCarbon's table; None for a CPU it does not know.

    As CodeCarbon matches: the whole name first, then, without marks and clock, a unique name of
    which one holds all the words of the other.
    """
    folder = package_folder()
    if folder is None or not model:
        return None
    with (folder / CPU_TABLE).open(encoding="utf-8", newline="") as file:
        rows = [(name.lower(), tdp) for name, tdp, *_ in csv.reader(file)][1:]
    for wanted in (model.lower(), _without_marks(model).lower()):
        for name, tdp in rows:
            if name == wanted:
                return _watts(tdp)
    words = _words(_without_marks(model).lower())
    matches = [
        tdp
        for name, tdp in rows
        if any(word in name for word in words) and _one_holds_other(words, _words(name))
    ]
    return _watts(matches[0]) if len(matches) == 1 else None


def _watts(text: str) -> float | None:
    """The table holds a few entries that are no numbers ("33.34.8"): such a CPU is not known."""
    try:
        return float(text)
    except ValueError:
        return None


def _without_marks(model: str) -> str:
    model = model.replace("(R)", "")
    clock_at = model.find(" CPU @ ")
    if clock_at > 0:
        model = model[:clock_at]
    return re.sub(r" @\s*\d+\.\d+GHz", "", model.replace(" CPU", ""))


def _words(name: str) -> frozenset[str]:
    return frozenset(name.translate(_TO_SPACES).split())


def _one_holds_other(first: frozenset[str], second: frozenset[str]) -> bool:
    return bool(first and second) and (first <= second or second <= first)


def load_factor(load: float) -> float:
    """Share of the TDP that CodeCarbon takes a machine to draw at a load from 0 to 1."""
    return 0.1 + 0.9 * load**3


def ram_power_w(memory_bytes: int, *, is_arm: bool) -> float:
    """CodeCarbon's assumption for memory: a guessed number of modules times a constant each."""
    count = _module_count(memory_bytes / GIB)
    module_w = 1.5 if is_arm else 5.0
    shares = (
        min(count, 4)
        + 0.9 * min(max(count - 4, 0), 4)
        + 0.8 * min(max(count - 8, 0), 8)
        + 0.7 * max(count - 16, 0)
    )
    return max(2 * module_w, module_w * shares)


def _module_count(memory_gib: float) -> int:
    for up_to_gib, count in ((2, 1), (16, 2), (64, 4), (128, 8)):
        if memory_gib <= up_to_gib:
            return count
    largest_gib = next(size for size in (128, 64, 32, 16, 8, 4) if size <= memory_gib / 8)
    return min(-int(-memory_gib // largest_gib), 32)


@cache
def _countries() -> dict[str, CarbonIntensity]:
    import json  # only the carbon factors need it, and recording must start fast

    folder = package_folder()
    if folder is None:
        return {}
    with (folder / COUNTRY_TABLE).open(encoding="utf-8") as file:
        rows = json.load(file)
    known: dict[str, CarbonIntensity] = {}
    for code, row in rows.items():
        value, year = row.get("carbon_intensity"), row.get("year")
        if value is not None:
            place = f"{row.get('country_name', code)}, {year}" if year else str(code)
            known[code] = CarbonIntensity(
                value_g_per_kwh=float(value),
                year=None if year is None else int(year),
                source=f"CodeCarbon {package_version()} table: {place}",
            )
    return known


def carbon_intensity_g_per_kwh(country_iso: str) -> CarbonIntensity | None:
    """Intensity of a country by its ISO 3166 alpha-3 code; None for one not in the table."""
    return _countries().get(country_iso.upper())


def known_countries() -> tuple[str, ...]:
    """The alpha-3 codes that `carbon_intensity_g_per_kwh` knows, in alphabetical order."""
    return tuple(sorted(_countries()))
