"""Ratios and verdicts of a report: pair by pair, or many variants against one base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from profiler.comparison.judging import LESS, MORE, NO_DIFFERENCE, SMALLEST_DIFFERENCE
from profiler.comparison.verdicts import Comparison, Ratio, compare
from profiler.values.plain_text import few_digits
from profiler.values.profile import Profile
from profiler.values.units import NOT_SEEN, show, show_point

from .document import Column, Section, Table
from .report_sections import findings_table

MOST_PAIRS = 2
"""Pairs that are told one after the other; more are one table, with the details behind it."""

# The same joules and seconds in other units: their ratios say nothing new.
_REPEATED = frozenset(
    {
        "latency_per_item_s",
        "throughput_per_s",
        "energy_per_item_j",
        "net_energy_per_item_j",
        "energy_per_million_kwh",
        "net_energy_per_million_kwh",
        "mac_count_per_item",
    }
)


def comparison_section(comparison: Comparison, *, title: str | None = None) -> Section:
    """Ratios with intervals and verdicts, and what to know before trusting them."""
    base = comparison.base
    first, second = _names(comparison)
    columns = (
        Column(label="quantity"),
        Column(label=first, role="number"),
        Column(label=second, role="number"),
        Column(label="ratio", role="number"),
        Column(label="verdict", role="verdict"),
        Column(label="basis", role="basis"),
    )
    rows = tuple(
        _ratio_row(row)
        for row in comparison.ratios
        if comparison.per_item or row.key not in _REPEATED
    )
    size = base.workload.batch_size
    batch = f", batch {size:,}" if size and not comparison.per_item else ""
    tables = [Table(caption=f"Ratio: {second} / {first}{batch}", columns=columns, rows=rows)]
    if comparison.findings:
        tables.append(findings_table(comparison.findings))
    return Section(
        title=title or f"{second} against {first}{batch}",
        paragraphs=(sentence(comparison),),
        tables=tuple(tables),
        notes=(_noise_note(comparison),),
    )


def sentence(comparison: Comparison) -> str:
    """The verdict on the energy, as one sentence."""
    row = comparison.of("energy_j")
    first, second = _names(comparison)
    what = "an image" if comparison.per_item else "a call"
    if row is None:
        return f"The energy of {second} and {first} was not seen in both runs: no verdict."
    if row.ratio is None and comparison.is_contended:
        return "Other work took the CPUs: no ratio. Stop it, and measure both again in turns."
    if row.ratio is None or row.verdict is None:
        return f"No interval is known for the energy of {second} or {first}: no verdict."
    ratio = f"{show(row.ratio)}, {row.ratio.basis.value}"
    if row.verdict == NO_DIFFERENCE:
        return f"No detectable difference in energy between {second} and {first} ({ratio})."
    if row.verdict not in (LESS, MORE):
        return f"The energy {what} of {second} and {first} is {row.verdict}: {ratio}."
    return f"{second} takes {row.verdict} energy {what} than {first}: {ratio}."


def _names(comparison: Comparison) -> tuple[str, str]:
    """What the two runs are called; A and B where they are runs of one thing."""
    first, second = comparison.base.name, comparison.other.name
    return (f"{first} (A)", f"{second} (B)") if first == second else (first, second)


def _ratio_row(row: Ratio) -> tuple[str, ...]:
    basis = NOT_SEEN if row.ratio is None else row.ratio.basis.value
    values = (show_point(row.base), show_point(row.other), show(row.ratio))
    return (row.label, *values, _verdict(row), basis)


def _noise_note(comparison: Comparison) -> str:
    first, second = _names(comparison)
    verdict = (
        f"Less or more needs the whole interval beyond {100 * SMALLEST_DIFFERENCE:g} %, equal "
        "within a share the whole interval inside it."
    )
    if comparison.rounds is not None:
        return f"Ratios of time and energy are those of rounds measured in turns. {verdict}"
    return (
        "Intervals of ratios of time, power and energy include a standard deviation from run to "
        f"run: {few_digits(100 * comparison.noise_base)} % for {first}, "
        f"{few_digits(100 * comparison.noise_other)} % for {second} (the drift of a run of several "
        "processes; assumed, or the blocks' spread where that is larger, for one of a single "
        f"process; --noise sets it). {verdict}"
    )


def comparison_sections(pairs: Sequence[tuple[Profile, Profile]]) -> list[Section]:
    """A section a pair; with many variants of one base, one section for them all."""
    bases: dict[int, list[Comparison]] = {}
    for base, other in pairs:
        bases.setdefault(id(base), []).append(compare(base, other))
    sections = []
    for comparisons in bases.values():
        if len(comparisons) <= MOST_PAIRS:
            sections += [comparison_section(item) for item in comparisons]
        else:
            sections.append(_against_base(comparisons))
            sections += [replace(comparison_section(item), fold=True) for item in comparisons]
    return sections


def _against_base(comparisons: Sequence[Comparison]) -> Section:
    base = comparisons[0].base
    size = base.workload.batch_size
    columns = (
        Column(label="run"),
        Column(label="energy", role="number"),
        Column(label="verdict", role="verdict"),
        Column(label="basis", role="basis"),
        Column(label="latency", role="number", leaves=3),
        Column(label="verdict", role="verdict", leaves=2),
        Column(label="MACs", role="number", leaves=1),
    )
    rows = []
    for item in comparisons:
        energy, latency, macs = (item.of(key) for key in ("energy_j", "latency_s", "mac_count"))
        basis = "" if energy is None or energy.ratio is None else energy.ratio.basis.value
        rows.append(
            (
                _names(item)[1],
                _shown(energy),
                _verdict(energy),
                basis,
                _shown(latency),
                _verdict(latency),
                _shown(macs),
            )
        )
    summary = Table(caption=f"Ratio to {base.name}", columns=columns, rows=tuple(rows))
    title = f"Against {base.name}" + (f", batch {size:,}" if size else "")
    return Section(title=title, tables=(summary,))


def _shown(row: Ratio | None) -> str:
    return NOT_SEEN if row is None else show(row.ratio)


def _verdict(row: Ratio | None) -> str:
    if row is None:
        return ""
    return row.verdict or ("no ratio" if row.ratio is None else "no interval is stated")
