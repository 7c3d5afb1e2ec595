"""One table for a paper: a row a run, one unit a column, ratios to a baseline."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from profiler.comparison.verdicts import compare
from profiler.errors import UsageError
from profiler.values.estimate import Estimate, weakest
from profiler.values.profile import Profile
from profiler.values.quantities import QUANTITIES
from profiler.values.units import NOT_SEEN, show

from .document import Column, PaperColumn, PaperTable, Table

RATIO = "energy_ratio"
# No more than a column of text has room for; --columns names others.
JOULES = ("accuracy", "mac_count_per_item", "energy_per_item_j", RATIO)
TABLES = {"joules": JOULES}
"""Tables by name, and the columns of each; those that no run has anything for are left out."""

_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_SCALED = frozenset({"J", "s", "W", "B", "MAC", "g"})
_HEADINGS = {
    "accuracy": "accuracy",
    "mac_count_per_item": "MACs",
    "energy_per_item_j": "energy",
    "net_energy_per_item_j": "net energy",
    "latency_per_item_s": "latency",
    RATIO: "energy ratio",
}


def paper_table(
    profiles: Sequence[Profile],
    labels: Sequence[str],
    *,
    keys: Sequence[str] | None = None,
    baseline: str | None = None,
) -> PaperTable:
    """The table of some runs.

    Args:
        profiles: at least one.
        labels: their names.
        keys: of `profiler.quantities`, or `RATIO`; None for those of the table of joules.
        baseline: label or name of the run that ratios are to; None for the first.

    Raises:
        UsageError: there is no such quantity or run, or the name is that of several.
    """
    base = _find(baseline, profiles, labels)
    known = {quantity.key for quantity in QUANTITIES} | {RATIO}
    for key in keys or ():
        if key not in known:
            raise UsageError(
                f"there is no column {key!r}", hint=f"columns: {', '.join(sorted(known))}"
            )
    chosen = [_column(key, profiles, profiles[base]) for key in keys or JOULES]
    seen = [column for column in chosen if keys or any(column.cells)]
    if keys is None and len(profiles) == 1:
        seen = [column for column in seen if column.heading != _HEADINGS[RATIO]]
    called = [profile.name for profile in profiles]
    names = tuple(called if len(set(called)) == len(called) else labels)
    return PaperTable(
        caption=_caption(profiles, seen, names[base]), names=names, columns=tuple(seen)
    )


def as_table(paper: PaperTable) -> Table:
    """The same with its numbers as text, for formats that do not typeset numbers."""
    columns = [Column(label="run")]
    columns += [Column(label=_with_unit(each), role="number") for each in paper.columns]
    rows = (
        (name, *(plain_number(column.cells[index]) for column in paper.columns))
        for index, name in enumerate(paper.names)
    )
    return Table(caption=paper.caption, columns=tuple(columns), rows=tuple(rows))


def _find(baseline: str | None, profiles: Sequence[Profile], labels: Sequence[str]) -> int:
    if baseline is None:
        return 0
    if baseline in labels:
        return list(labels).index(baseline)
    named = [place for place, each in enumerate(profiles) if each.name == baseline]
    if len(named) == 1:
        return named[0]
    problem = "no run is" if not named else f"{len(named)} runs are"
    raise UsageError(f"{problem} called {baseline!r}", hint=f"runs: {'; '.join(map(repr, labels))}")


def _column(key: str, profiles: Sequence[Profile], base: Profile) -> PaperColumn:
    if key == RATIO:
        rows = [compare(base, each).of("energy_j") for each in profiles]
        ratios = tuple(
            None if row is None or each is base else row.ratio
            for row, each in zip(rows, profiles, strict=True)
        )
        return PaperColumn(heading=_HEADINGS[RATIO], unit="", cells=ratios)
    quantity = next(each for each in QUANTITIES if each.key == key)
    cells = tuple(quantity.of(profile) for profile in profiles)
    seen = [cell for cell in cells if cell is not None]
    heading = _HEADINGS.get(key, quantity.label_for(profiles[0]))
    if key == "accuracy":
        percent = tuple(None if cell is None else cell.scaled(100, "%") for cell in cells)
        return PaperColumn(heading=heading, unit="%", cells=percent)
    unit = seen[0].unit if seen else ""
    exponent = _exponent(seen, unit)
    named = _PREFIXES[exponent] + ("" if unit == "MAC" else unit)
    scaled = tuple(None if cell is None else cell.scaled(10.0**-exponent, named) for cell in cells)
    return PaperColumn(heading=heading, unit=named, cells=scaled)


def _exponent(seen: Sequence[Estimate], unit: str) -> int:
    """The prefix that suits the middle one of the values; a plain count over 10,000 gets one."""
    sizes = [abs(cell.point) for cell in seen if cell.point]
    is_count = unit == "" and bool(sizes) and min(sizes) >= 1e4
    if not sizes or not (unit in _SCALED or is_count):
        return 0
    order = 3 * math.floor(math.log10(median(sizes)) / 3)
    return min(max(order, -12), 12)


def _caption(profiles: Sequence[Profile], columns: Sequence[PaperColumn], base: str) -> str:
    places = dict.fromkeys(
        f"{profile.environment.device_name} ({profile.workload.device})" for profile in profiles
    )
    bases = [
        f"{column.heading} {weakest(cell.basis for cell in column.cells if cell).value}"
        for column in columns
        if any(column.cells)
    ]
    ratio = any(column.heading == _HEADINGS[RATIO] for column in columns)
    sizes = {profile.workload.batch_size for profile in profiles}
    size = f" in a batch of {sizes.pop()}" if len(sizes) == 1 and None not in sizes else ""
    return (
        f"Inference, per {profiles[0].workload.item}{size}, on {' and '.join(places)}; "
        f"95 % intervals; {', '.join(bases)}" + (f"; ratios to {base}" if ratio else "")
    )


def plain_number(estimate: Estimate | None) -> str:
    """The number without its unit, which stands in the heading: "36.0 ± 0.5"."""
    if estimate is None:
        return NOT_SEEN
    return re.sub(r"(?<=\d),(?=\d)", "", show(replace(estimate, unit="")))


def _with_unit(column: PaperColumn) -> str:
    return f"{column.heading} ({column.unit})" if column.unit else column.heading
