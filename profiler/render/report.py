"""Profiles -> Document: which facts a report tells, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from profiler.values.estimate import Basis, Estimate
from profiler.values.profile import EnergyPart, Profile
from profiler.values.quantities import (
    QUANTITIES,
    carbon_per_million_g,
    energy_per_million_kwh,
    is_told,
    per_item,
)
from profiler.values.units import show, show_share, show_short

from .again_section import again_section
from .carbon_section import carbon_section
from .citations import Sources, sources_of
from .codecarbon_table import codecarbon_table, cost_note
from .comparison_sections import comparison_sections
from .deployment_table import deployment_table
from .document import Bar, Column, Document, Plot, Section, Table
from .glossary import SEE, glossary
from .labels import labels_of
from .lead import lead_of
from .places import places_of
from .power_section import power_section
from .proxy_section import layer_proxy_section, proxy_section
from .report_sections import background_sections
from .tradeoff_section import tradeoff_section
from .transforms_table import transforms_table
from .trust_section import trust_section

BASIS_LEGEND = (
    "Each number says where it comes from: counted (exact), measured (by a sensor or a clock), "
    "estimated (by a model of the hardware), assumed (a constant), quoted (from a publication). "
    "A number derived from others carries the weakest word among them."
)
GLANCE = "At a glance"
MOST_FIGURES = 4
MOST_NAMES = 3
UNIT_LEGEND = "± and [low, high] are 95 % intervals. 1 MB = 1,000,000 B. MACs are multiply-adds."


def tell(
    profiles: Sequence[Profile],
    *,
    title: str | None = None,
    extra: Iterable[Section] = (),
    run_ids: Sequence[str] = (),
    intensities: Mapping[str, Estimate] | None = None,
) -> Document:
    """Build the report of one or more profiles.

    Args:
        profiles: at least one; with several, the first of a workload is the base of comparisons.
        title: heading; None makes one of the names.
        extra: sections of somebody else (a claims table), put before the background.
        run_ids: what the runs are called in the store, one a profile; () where they are in none.
        intensities: g/kWh by country, for the same joules elsewhere.
    """
    profiles = tuple(profiles)
    if not profiles:
        raise ValueError("a report needs at least one profile")
    names = list(dict.fromkeys(profile.name for profile in profiles))
    labels = labels_of(profiles)
    places, pairs = places_of(profiles, labels), _pairs(profiles)
    stored = tuple(run_ids) or ("",) * len(profiles)
    figures = [_figures(*each) for each in zip(profiles, labels, stored, strict=True)]
    sections = (
        _glance(profiles, labels),
        *comparison_sections(pairs),
        *extra,
        tradeoff_section(places),
        proxy_section(places),
        *(replace(figure, fold=len(figures) > MOST_FIGURES) for figure in figures),
        power_section(profiles, labels),
        layer_proxy_section(places),
        *background_sections(profiles, labels),
        carbon_section(profiles, labels, intensities or {}),
        trust_section(profiles, labels),
        again_section(profiles),
        glossary(),
    )
    return Document(
        title=title or _title(names),
        lead=lead_of(profiles, labels, pairs),
        sections=tuple(section for section in sections if section is not None),
        profiles=profiles,
        run_ids=tuple(run_ids),
    )


def _title(names: Sequence[str]) -> str:
    """Two or three names, or the first and how many more there are."""
    if len(names) > MOST_NAMES:
        return f"{names[0]} and {len(names) - 1} more"
    return " and ".join(names)


def _pairs(profiles: tuple[Profile, ...]) -> list[tuple[Profile, Profile]]:
    """The first profile of each workload with every later one of the same workload."""
    bases: dict[tuple[object, ...], Profile] = {}
    pairs = []
    for profile in profiles:
        key = (profile.workload.batch_size, profile.workload.dtype, profile.workload.device)
        base = bases.setdefault(key, profile)
        if base is not profile:
            pairs.append((base, profile))
    return pairs


def _glance(profiles: tuple[Profile, ...], labels: tuple[str, ...]) -> Section:
    return Section(
        title=GLANCE,
        plots=_plots(profiles, labels),
        tables=(_overview(profiles, labels),) if len(profiles) > 1 else (),
        notes=(BASIS_LEGEND, UNIT_LEGEND, SEE),
    )


def _overview(profiles: tuple[Profile, ...], labels: tuple[str, ...]) -> Table:
    columns = (
        Column(label="run"),
        Column(label="energy per image", role="number"),
        Column(label="basis", role="basis"),
        Column(label="latency per image", role="number"),
        Column(label="energy, 1 M inferences", role="number", leaves=1),
        Column(label="carbon, 1 M inferences", role="number", leaves=3),
        Column(label="MACs per image", role="number", leaves=4),
        Column(label="parameters", role="number", leaves=2),
    )
    rows = tuple(_overview_row(*pair) for pair in zip(profiles, labels, strict=True))
    return Table(caption="All runs, side by side", columns=columns, rows=rows)


def _overview_row(profile: Profile, label: str) -> tuple[str, ...]:
    energy = per_item(profile.energy_j, profile, "J")
    return (
        label,
        show(energy),
        _basis(energy),
        show(per_item(profile.latency_s, profile, "s")),
        show(energy_per_million_kwh(profile)),
        show(carbon_per_million_g(profile)),
        show_short(per_item(profile.mac_count, profile, "MAC")),
        show_short(profile.parameter_count),
    )


def _plots(profiles: tuple[Profile, ...], labels: tuple[str, ...]) -> tuple[Plot, ...]:
    plots = []
    for caption, unit, key in (
        ("Energy per image (gross)", "J", "energy_j"),
        ("Latency per image", "s", "latency_s"),
    ):
        bars = tuple(
            _bar(label, estimate)
            for profile, label in zip(profiles, labels, strict=True)
            if (estimate := per_item(getattr(profile, key), profile, unit)) is not None
        )
        if bars:
            plots.append(Plot(caption=caption, unit=unit, bars=bars))
    return tuple(plots)


def _bar(label: str, estimate: Estimate) -> Bar:
    return Bar(
        label=label,
        point=estimate.point,
        low=estimate.low,
        high=estimate.high,
        text=show(estimate),
        basis=estimate.basis.value,
    )


def _figures(profile: Profile, label: str, run_id: str) -> Section:
    columns = (
        Column(label="quantity"),
        Column(label="value", role="number"),
        Column(label="basis", role="basis"),
        Column(label="source"),
    )
    sources = sources_of(profile)
    seen = [
        (row.label_for(profile), row.of(profile)) for row in QUANTITIES if is_told(row, profile)
    ]
    rows = tuple(
        (name, show(value), _basis(value), "" if value is None else sources.cite(value))
        for name, value in seen
    )
    tables = [Table(caption=f"Figures of {label}", columns=columns, rows=rows)]
    if profile.deployment is not None:
        tables.insert(0, deployment_table(profile.deployment, sources))
    if profile.energy_parts:
        tables.append(_parts(profile, sources))
    if profile.transforms:
        tables.append(transforms_table(profile.transforms))
    if profile.codecarbon is not None:
        tables.append(codecarbon_table(profile.codecarbon, sources))
    notes = (*sources.notes(), *_figure_notes(profile, run_id))
    return Section(title=label, tables=tuple(tables), notes=notes)


def _parts(profile: Profile, sources: Sources) -> Table:
    columns = (
        Column(label="part", role="code"),
        Column(label="gross", role="number"),
        Column(label="net of idle", role="number"),
        Column(label="share of the total", role="number"),
        Column(label="basis", role="basis"),
        Column(label="source"),
    )
    whole = sum(part.energy_j.point for part in profile.energy_parts if part.in_total)
    rows = tuple(
        (
            part.device,
            show(part.energy_j),
            show(part.net_energy_j),
            _share_of(part, whole),
            _basis(part.energy_j),
            sources.cite(part.energy_j),
        )
        for part in profile.energy_parts
    )
    return Table(caption="Where the joules of a call were drawn", columns=columns, rows=rows)


def _share_of(part: EnergyPart, whole: float) -> str:
    if not part.in_total:
        return "beside it"
    return show_share(part.energy_j.point / whole if whole else None)


def _figure_notes(profile: Profile, run_id: str) -> list[str]:
    notes = []
    energy = profile.energy_j
    if energy is not None and energy.systematic:
        notes.append(
            f"The sensor's own gain error, ±{show_share(energy.systematic)}, is not inside the "
            "intervals; it cancels in a ratio of two runs on this device."
        )
    if energy is not None and energy.estimated_share and energy.basis is not Basis.MEASURED:
        notes.append(
            f"{show_share(energy.estimated_share)} of the joules are estimated or assumed, "
            "not measured."
        )
    if profile.carbon is not None:
        carbon = profile.carbon
        notes.append(
            f"Grams use {show(carbon.intensity_g_per_kwh)} "
            f"({carbon.intensity_g_per_kwh.basis.value}: {carbon.intensity_g_per_kwh.source}) and "
            f"a PUE of {show(carbon.pue)} ({carbon.pue.basis.value}: {carbon.pue.source})."
        )
    if profile.codecarbon is not None:
        notes.append(cost_note(profile.codecarbon))
    if profile.stopped_by:
        notes.append(f"The measurement was ended by: {profile.stopped_by}.")
    stored = f" Stored as {run_id}: `verify` recomputes every joule of it." if run_id else ""
    notes.append(f"Measured {profile.created_utc}.{stored}")
    return notes


def _basis(estimate: Estimate | None) -> str:
    return "" if estimate is None else estimate.basis.value
