"""The chapters behind the headline figures: comparison, findings, layers, environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from profiler.comparison.judging import LESS, MORE, NO_DIFFERENCE, SMALLEST_DIFFERENCE
from profiler.comparison.verdicts import Comparison, Ratio
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.layer_cost import LayerCost
from profiler.values.profile import Profile
from profiler.values.units import NOT_SEEN, show, show_count, show_point, show_share

from .document import Column, Section, Table
from .layer_sections import layer_table

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
    verdict = row.verdict or ("no ratio" if row.ratio is None else "no interval is stated")
    basis = NOT_SEEN if row.ratio is None else row.ratio.basis.value
    values = (show_point(row.base), show_point(row.other), show(row.ratio))
    return (row.label, *values, verdict, basis)


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
        f"run: {100 * comparison.noise_base:.2g} % for {first}, "
        f"{100 * comparison.noise_other:.2g} % for {second} (the drift of a run of several "
        "processes; assumed, or the blocks' spread where that is larger, for one of a single "
        f"process; --noise sets it). {verdict}"
    )


def findings_table(findings: Sequence[Finding]) -> Table:
    """What was observed, and what mends it."""
    columns = (Column(label="finding"), Column(label="observed"), Column(label="remedy"))
    rows = tuple((item.kind, item.observed, item.remedy) for item in findings)
    return Table(caption="Findings", columns=columns, rows=rows)


def background_sections(profiles: Sequence[Profile]) -> list[Section]:
    """Findings, layers, and what ran where."""
    return [*_findings_sections(profiles), *_layer_sections(profiles), _setting(profiles)]


def _findings_sections(profiles: Sequence[Profile]) -> list[Section]:
    by_finding: dict[Finding, list[str]] = {}
    for profile in profiles:
        for finding in profile.findings:
            by_finding.setdefault(finding, []).append(_short_name(profile))
    if not by_finding:
        return []
    columns = (
        Column(label="finding"),
        Column(label="run"),
        Column(label="observed"),
        Column(label="remedy"),
    )
    rows = tuple(
        (
            finding.kind,
            "all" if len(names) == len(profiles) > 1 else "; ".join(names),
            finding.observed,
            finding.remedy,
        )
        for finding, names in by_finding.items()
    )
    table = Table(caption="What to know before trusting a number", columns=columns, rows=rows)
    return [Section(title="Findings", tables=(table,))]


def _short_name(profile: Profile) -> str:
    size = profile.workload.batch_size
    return profile.name if size is None else f"{profile.name}, batch {size:,}"


def _layer_sections(profiles: Sequence[Profile]) -> list[Section]:
    tables = tuple(_layer_table(profile, profile.layers) for profile in profiles if profile.layers)
    return [Section(title="Layers", tables=tables)] if tables else []


def _layer_table(profile: Profile, layers: Sequence[LayerCost]) -> Table:
    """One row a layer; as long as nothing was measured, what was counted alone."""
    caption = f"Layers of {_short_name(profile)}, per call"
    if any(layer.latency_s is not None for layer in layers):
        return layer_table(layers, caption, (profile.latency_s, profile.energy_j))
    columns = [
        Column(label="layer", role="code"),
        Column(label="kind"),
        Column(label="calls", role="number"),
        Column(label="parameters", role="number"),
        Column(label="MACs", role="number"),
        Column(label="share of MACs", role="number"),
    ]
    whole = sum(layer.mac_count for layer in layers)
    rows = []
    for layer in layers:
        row = [
            layer.path or "(the model itself)",
            layer.kind,
            show_count(layer.call_count),
            show_count(layer.parameter_count),
            show_count(layer.mac_count) + ("" if not layer.uncounted_ops else " + uncounted"),
            show_share(layer.mac_count / whole if whole else None),
        ]
        rows.append(tuple(row))
    return Table(caption=caption, columns=tuple(columns), rows=tuple(rows))


def _basis(estimate: Estimate | None) -> str:
    return "" if estimate is None else estimate.basis.value


def _setting(profiles: Sequence[Profile]) -> Section:
    names = [_short_name(profile) for profile in profiles]
    settings = [_settings_of(profile) for profile in profiles]
    keys = list(dict.fromkeys(key for setting in settings for key in setting))
    shared = [key for key in keys if len({setting.get(key) for setting in settings}) == 1]
    tables = [
        Table(
            caption="The same for all runs" if len(profiles) > 1 else "Setting",
            columns=(Column(label="setting"), Column(label="value")),
            rows=tuple((key, settings[0][key]) for key in shared),
        )
    ]
    own = [key for key in keys if key not in shared]
    if own:
        rows = tuple((key, *(setting.get(key, "") for setting in settings)) for key in own)
        columns = (Column(label="setting"), *(Column(label=name) for name in names))
        tables.append(Table(caption="What differs", columns=columns, rows=rows))
    return Section(title="What ran, and where", tables=tuple(tables))


def _settings_of(profile: Profile) -> dict[str, str]:
    workload = {
        item.name.replace("_", " "): _text(getattr(profile.workload, item.name))
        for item in fields(profile.workload)
    }
    environment = {
        "device name": profile.environment.device_name,
        "fingerprint": profile.environment.fingerprint,
        **profile.environment.facts,
    }
    return {**workload, **environment}


def _text(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
