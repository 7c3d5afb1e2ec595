"""The chapters behind the headline figures: findings, layers, environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.profile import Profile
from profiler.values.units import show_count, show_share

from .document import Column, Section, Table
from .layer_sections import LONG_TABLE, layer_bars, layer_table


def findings_table(findings: Sequence[Finding]) -> Table:
    """What was observed, and what mends it."""
    columns = (Column(label="finding"), Column(label="observed"), Column(label="remedy"))
    rows = tuple((item.kind, item.observed, item.remedy) for item in findings)
    return Table(caption="Findings", columns=columns, rows=rows)


MOST_LAYER_PLOTS = 3


def background_sections(profiles: Sequence[Profile], labels: Sequence[str]) -> list[Section]:
    """Findings, layers, and what ran where."""
    return [
        *_findings_sections(profiles, labels),
        *_layer_sections(profiles, labels),
        _setting(profiles, labels),
    ]


def _findings_sections(profiles: Sequence[Profile], labels: Sequence[str]) -> list[Section]:
    by_finding: dict[Finding, list[str]] = {}
    for profile, label in zip(profiles, labels, strict=True):
        for finding in profile.findings:
            by_finding.setdefault(finding, []).append(label)
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


def _layer_sections(profiles: Sequence[Profile], labels: Sequence[str]) -> list[Section]:
    named = [pair for pair in zip(profiles, labels, strict=True) if pair[0].layers]
    if not named:
        return []
    plots = [plot for pair in named if (plot := layer_bars(*pair)) is not None]
    rest = len(plots) - MOST_LAYER_PLOTS
    return [
        Section(
            title="Layers",
            plots=tuple(plots[:MOST_LAYER_PLOTS]),
            tables=tuple(_layer_table(*pair) for pair in named),
            notes=(f"Figures of the first {MOST_LAYER_PLOTS}; {rest} more are in the tables.",)
            if rest > 0
            else (),
        )
    ]


def _layer_table(profile: Profile, label: str) -> Table:
    """One row a layer; as long as nothing was measured, what was counted alone."""
    layers = profile.layers
    caption = f"Layers of {label}, per call"
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
    fold = len(rows) > LONG_TABLE
    return Table(caption=caption, columns=tuple(columns), rows=tuple(rows), fold=fold)


def _basis(estimate: Estimate | None) -> str:
    return "" if estimate is None else estimate.basis.value


def _setting(profiles: Sequence[Profile], names: Sequence[str]) -> Section:
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
        rows = tuple(
            (name, *(setting.get(key, "") for key in own))
            for name, setting in zip(names, settings, strict=True)
        )
        columns = (
            Column(label="run"),
            *(Column(label=key, leaves=len(own) - place) for place, key in enumerate(own)),
        )
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
