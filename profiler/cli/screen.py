"""One screen of text for a measurement that has just ended: the figures that matter, on one page.

The whole report is a renderer's; this is what a terminal shows in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from profiler.comparison.verdicts import compare
from profiler.render.assumptions import assumption_in_words
from profiler.render.citations import Sources, sources_of
from profiler.render.codecarbon_table import brief_rows
from profiler.render.comparison_sections import sentence
from profiler.render.deployment_table import deployment_sentences
from profiler.render.document import Column, Section, Table
from profiler.render.formats.text import bullet, paragraph, section_blocks
from profiler.render.labels import labels_of
from profiler.render.layer_groups import sort_layers
from profiler.render.layer_sections import MODEL_ITSELF
from profiler.render.setting import setting_in_words
from profiler.values.estimate import Estimate
from profiler.values.findings import in_sentences
from profiler.values.layer_cost import LayerCost
from profiler.values.profile import HOST, Profile
from profiler.values.quantities import QUANTITIES, per_item
from profiler.values.repetition_findings import ranked_kinds
from profiler.values.units import show, show_number, show_share

SHOWN_LAYERS = 20
_LAYER_NUMBERS = (
    *(Column(label=label, role="number") for label in ("MACs", "latency", "of time", "energy")),
    Column(label="basis", role="basis"),
)
_ALWAYS = (
    "latency_s",
    "throughput_per_s",
    "energy_per_item_j",
    "net_energy_per_item_j",
    "power_w",
    "idle_power_w",
    "peak_memory_bytes",
    "energy_per_million_kwh",
    "carbon_per_million_g",
    "mac_count_per_item",
    "parameter_count",
    "size_bytes",
    "score",
)
_WHERE_SEEN = ("effective_mac_count", "compressed_bytes", "score_by_ratio", "accuracy")
_OF_SEVERAL_ITEMS = ("latency_per_item_s",)
_WITHOUT_ITEMS = {
    "energy_per_item_j": "energy_j",
    "net_energy_per_item_j": "net_energy_j",
    "carbon_per_million_g": "carbon_g",
    "mac_count_per_item": "mac_count",
}
_OF_A_COMMAND = ("latency_s", "energy_j", "power_w", "carbon_g")


def render_brief(profiles: Sequence[Profile], paths: Sequence[str]) -> str:
    """Print profiles for a terminal, and where they were stored; ends in a newline."""
    sources = sources_of(*profiles)
    blocks, told = [], []
    for profile, label in zip(profiles, labels_of(profiles), strict=True):
        opinion = profile.codecarbon
        # Models in turns share one tracker: its account is of all of them, and is given once.
        shown = replace(profile, codecarbon=None) if opinion in told else profile
        told.append(opinion)
        blocks += section_blocks(_section(shown, label, sources))
    blocks += [
        "\n".join(paragraph(sentence(compare(*pair))) for pair in _in_turns(profiles)),
        "\n".join(map(paragraph, sources.notes())),
        "\n".join(_findings(profiles, sources)),
        "\n".join(f"stored in {path}" for path in paths),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _in_turns(profiles: Sequence[Profile]) -> list[tuple[Profile, Profile]]:
    """The first model of each series with every other one."""
    firsts: dict[str, Profile] = {}
    pairs = []
    for profile in profiles:
        if profile.repetition is not None:
            first = firsts.setdefault(profile.repetition.series, profile)
            if first is not profile:
                pairs.append((first, profile))
    return pairs


def _section(profile: Profile, label: str, sources: Sources) -> Section:
    columns = (
        Column(label="quantity"),
        Column(label="value", role="number"),
        Column(label="basis", role="basis"),
        Column(label="source"),
    )
    rows = tuple(_rows(profile, sources))
    workload = profile.workload
    executor = "" if workload.executor == "eager" else workload.executor
    setting = ", ".join(part for part in (workload.device, workload.dtype, executor) if part)
    where = f"{profile.environment.device_name} ({setting})"
    deployment = profile.deployment
    words = (
        setting_in_words(profile),
        *(() if deployment is None else deployment_sentences(deployment)),
        assumption_in_words(profile),
    )
    return Section(
        title=f"{label}, on {where}",
        paragraphs=tuple(text for text in words if text is not None),
        tables=(Table(caption=_ending(profile), columns=columns, rows=rows), *_layers(profile)),
    )


def _layers(profile: Profile) -> list[Table]:
    """The rows of the layers, the slowest first, where they were measured."""
    if all(row.latency_s is None for row in profile.layers):
        return []
    rows = sort_layers(profile.layers, "latency")
    shown = rows[:SHOWN_LAYERS]
    rest = len(rows) - len(shown)
    more = f"; {rest} more in the stored run" if rest else ""
    whole_s = sum(row.latency_s.point for row in rows if row.latency_s is not None)
    cells = tuple(_layer(row, whole_s) for row in shown)
    columns = (Column(label="layer", role="code"), Column(label="kind"), *_LAYER_NUMBERS)
    return [Table(caption=f"Layers, the slowest first{more}", columns=columns, rows=cells)]


def _layer(row: LayerCost, whole_s: float) -> tuple[str, ...]:
    time_s = row.latency_s
    share = show_share(time_s.point / whole_s) if time_s is not None and whole_s else ""
    basis = "" if row.energy_j is None else row.energy_j.basis.value
    macs = show_number(row.mac_count, "MAC")
    name = row.path or MODEL_ITSELF
    return (name, row.kind, macs, show(time_s), share, show(row.energy_j), basis)


def _ending(profile: Profile) -> str:
    reached = {
        "precision": "measured until the intervals were as narrow as asked",
        "budget": "measured until the time was spent",
    }.get(profile.stopped_by or "", "measured")
    return f"{reached}; ± and [low, high] are 95 % intervals"


def _rows(profile: Profile, sources: Sources) -> list[tuple[str, str, str, str]]:
    by_key = {row.key: row for row in QUANTITIES}
    rows = []
    for key in _keys(profile):
        quantity = by_key[key]
        rows.append(_row(quantity.label_for(profile), quantity.of(profile), sources))
        if key in ("energy_per_item_j", "energy_j"):
            rows += _parts(profile, sources, per_call=key == "energy_j")
    if profile.codecarbon is not None:
        rows += [_row(label, value, sources) for label, value in brief_rows(profile.codecarbon)]
    return rows


def _keys(profile: Profile) -> list[str]:
    """The rows that say something about this workload, in order."""
    if profile.workload.device == HOST:
        return list(_OF_A_COMMAND)
    size = profile.workload.batch_size
    keys = [key if size else _WITHOUT_ITEMS.get(key, key) for key in _ALWAYS]
    if size and size > 1:
        keys[1:1] = _OF_SEVERAL_ITEMS
    if not size:
        keys = [key for key in keys if "per_million" not in key and key != "throughput_per_s"]
    seen = [row.key for row in QUANTITIES if row.key in _WHERE_SEEN and row.of(profile) is not None]
    return [*keys, *seen]


def _parts(
    profile: Profile, sources: Sources, *, per_call: bool
) -> list[tuple[str, str, str, str]]:
    """Which device drew the joules, where there is more to say than the total does."""
    if len(profile.energy_parts) < 2:
        return []
    whole_j = sum(part.energy_j.point for part in profile.energy_parts if part.in_total)
    rows = []
    for part in profile.energy_parts:
        drawn_j = part.energy_j if per_call else per_item(part.energy_j, profile, "J")
        share = show_share(part.energy_j.point / whole_j if whole_j else None)
        role = f"of it {part.device}, {share}" if part.in_total else f"beside it {part.device}"
        rows.append(_row(f"  {role}", drawn_j, sources))
    return rows


def _row(label: str, estimate: Estimate | None, sources: Sources) -> tuple[str, str, str, str]:
    if estimate is None:
        return (label, show(None), "", "")
    return (label, show(estimate), estimate.basis.value, sources.cite(estimate))


def _findings(profiles: Sequence[Profile], sources: Sources) -> list[str]:
    """One point a kind and remedy, the decisive first, with the runs that it is about."""
    labels = labels_of(profiles)
    merged: dict[tuple[str, str], dict[str, list[str]]] = {}
    for profile, label in zip(profiles, labels, strict=True):
        for finding in profile.findings:
            observed = sources.shorten(finding.observed)
            about = merged.setdefault((finding.kind, finding.remedy), {})
            about.setdefault(observed, []).append(label)
    first = {kind: place for place, kind in enumerate(ranked_kinds(kind for kind, _ in merged))}
    points = []
    for (_, remedy), about in sorted(merged.items(), key=lambda item: first[item[0][0]]):
        texts = [
            observed if len(set(whose)) == len(set(labels)) else f"{'; '.join(whose)}: {observed}"
            for observed, whose in about.items()
        ]
        points.append(bullet(in_sentences("; ".join(texts), remedy)))
    return points
