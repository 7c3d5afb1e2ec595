"""The table of layers, and the section that a layer report becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from profiler.values.layer_cost import LayerCost
from profiler.values.shapes import shapes_in_words
from profiler.values.units import NOT_SEEN, show, show_count, show_number, show_share

from .document import Bar, Column, Document, Plot, Section, Table
from .glossary import TITLE as WORDS
from .glossary import glossary
from .layer_groups import group_by_depth, group_by_kind, sort_layers
from .roofline import roofline_of

if TYPE_CHECKING:
    from profiler.values.estimate import Estimate
    from profiler.values.layer_report import LayerReport
    from profiler.values.profile import Profile

MODEL_ITSELF = "(the model itself)"
WHOLE = "(the whole model, headline)"
Whole = tuple["Estimate | None", "Estimate | None"]
READING = (
    "Every row is a module without its children; a module that has some shows the work between "
    "them, which belongs to no leaf. Bytes are unfused traffic. 'of best' is the time that this "
    "device cannot go below for the row's MACs, bytes and calls, over the time it took; the last "
    "column says which of the three sets it."
)
PICO = 1e12
LONG_TABLE = 30
"""Rows from which a page keeps a table of layers shut until it is opened."""
MOST_BARS = 20


def layer_table(layers: Sequence[LayerCost], caption: str, whole: Whole = (None, None)) -> Table:
    """A row a layer, with the columns that some layer has something for.

    Args:
        layers: the rows.
        caption: of the table.
        whole: seconds and joules of a call in the headline, which become its last row.
    """
    has_energy = any(row.energy_j is not None for row in layers)
    has_floor = any(row.floor_s is not None for row in layers)
    has_floor_j = any(row.floor_j is not None for row in layers)
    whole_s = sum(row.latency_s.point for row in layers if row.latency_s is not None)
    columns = [
        Column(label="layer", role="code"),
        Column(label="kind", leaves=9),
        Column(label="calls", role="number", leaves=2),
        Column(label="parameters", role="number", leaves=5),
        Column(label="MACs", role="number", leaves=10),
        Column(label="bytes", role="number", leaves=4),
        Column(label="MACs/B", role="number", leaves=3),
        Column(label="latency", role="number"),
        Column(label="of time", role="number", leaves=11),
    ]
    if has_energy:
        columns += [
            Column(label="energy", role="number"),
            Column(label="basis", role="basis"),
            Column(label="pJ/MAC", role="number", leaves=8),
        ]
    if has_floor:
        columns += [
            Column(label="floor", role="number", leaves=6),
            Column(label="of best", role="number", leaves=7),
            Column(label="bound by", leaves=7),
        ]
    if has_floor_j:
        columns.append(Column(label="energy floor", role="number", leaves=1))
    rows = []
    for row in layers:
        cells = [*_counted(row), show(row.latency_s), _share(row, whole_s)]
        cells += _energy(row) if has_energy else []
        cells += _floor(row) if has_floor else []
        cells += [_number(row.floor_j, "J")] if has_floor_j else []
        rows.append(tuple(cells))
    latency_s, energy_j = whole
    if latency_s is not None:
        share = show_share(latency_s.point / whole_s if whole_s else None)
        cells = [WHOLE, "", "", "", "", "", "", show(latency_s), share]
        if has_energy:
            cells += [show(energy_j), "" if energy_j is None else energy_j.basis.value]
        rows.append(tuple(cells + [""] * (len(columns) - len(cells))))
    fold = len(rows) > LONG_TABLE
    return Table(caption=caption, columns=tuple(columns), rows=tuple(rows), fold=fold)


def layer_bars(profile: Profile, label: str) -> Plot | None:
    """The layers that take the most joules, else the most time; None where neither was measured."""
    unit, bars = "J", _bars(profile.layers, lambda row: row.energy_j)
    if not bars:
        unit, bars = "s", _bars(profile.layers, lambda row: row.latency_s)
    if not bars:
        return None
    rest = len(bars) - MOST_BARS
    more = f", the {MOST_BARS} largest, and {rest} more in the table" if rest > 0 else ""
    what = "Energy" if unit == "J" else "Time"
    caption = f"{what} of the layers of {label}, per call{more}"
    return Plot(caption=caption, unit=unit, bars=tuple(bars[:MOST_BARS]))


def _bars(layers: Sequence[LayerCost], read: Callable[[LayerCost], Estimate | None]) -> list[Bar]:
    """Largest first; layers without the figure have no bar."""
    seen = [(row.path or MODEL_ITSELF, value) for row in layers if (value := read(row)) is not None]
    return [
        Bar(
            label=path,
            point=value.point,
            low=value.low,
            high=value.high,
            text=show(value),
            basis=value.basis.value,
        )
        for path, value in sorted(seen, key=lambda pair: pair[1].point, reverse=True)
    ]


def _counted(row: LayerCost) -> list[str]:
    unknown = bool(row.uncounted_ops)
    return [
        row.path or MODEL_ITSELF,
        row.kind,
        show_count(row.call_count),
        show_number(row.parameter_count, "parameter"),
        (">= " if unknown else "") + show_number(row.mac_count, "MAC"),
        show_number(row.moved_bytes, "B"),
        "" if row.macs_per_byte is None or not row.mac_count else f"{row.macs_per_byte:.3g}",
    ]


def _share(row: LayerCost, whole_s: float) -> str:
    if row.latency_s is None:
        return ""
    if row.time_share is not None:
        return show_share(row.time_share.point, row.time_share.half_width)
    return show_share(row.latency_s.point / whole_s if whole_s else None)


def _energy(row: LayerCost) -> list[str]:
    basis = "" if row.energy_j is None else row.energy_j.basis.value
    per_mac = row.joules_per_mac
    return [show(row.energy_j), basis, "" if per_mac is None else _plain(per_mac.point * PICO)]


def _plain(value: float) -> str:
    """Three digits without an exponent, as the unit stands in the heading."""
    return f"{float(f'{value:.3g}'):,.12g}"


def _floor(row: LayerCost) -> list[str]:
    if row.floor_s is None:
        return ["", "", ""]
    return [_number(row.floor_s, "s"), show_share(row.achieved_share), row.bound or ""]


def _number(value: float | None, unit: str) -> str:
    return NOT_SEEN if value is None else show_number(value, unit)


def arrange(
    report: LayerReport, *, sort: str | None, by_kind: bool, depth: int | None
) -> tuple[LayerCost, ...]:
    """The rows of a report as they are asked for."""
    rows = report.layers
    if depth is not None:
        rows = group_by_depth(rows, depth)
    elif by_kind:
        rows = group_by_kind(rows, {row.path for row in report.outside})
    return sort_layers(rows, sort)


def layer_document(report: LayerReport, rows: Sequence[LayerCost]) -> Document:
    """A whole report on the layers of one model.

    Args:
        report: what was measured.
        rows: its layers as they are to be shown (see `arrange`).
    """
    batch = "" if report.batch_size is None else f", batch {report.batch_size:,}"
    name = f"{report.name}{batch}"
    sections = [
        Section(
            title="Layers",
            tables=(layer_table(rows, f"Layers of {name}, per call"),),
            notes=(READING, *_energy_notes(report)),
        ),
        _closure_section(report),
    ]
    roofline = roofline_of(report)
    if roofline is not None:
        sections.append(roofline)
    if report.findings:
        columns = (Column(label="finding"), Column(label="observed"), Column(label="remedy"))
        cells = tuple((item.kind, item.observed, item.remedy) for item in report.findings)
        table = Table(caption="What to know before trusting a number", columns=columns, rows=cells)
        sections.append(Section(title="Findings", tables=(table,)))
    sections.append(glossary("stamps", "closure", "segment model"))
    return Document(title=f"Layers of {name}", lead=_lead(report), sections=tuple(sections))


def joined_layer_document(documents: Sequence[Document]) -> Document:
    """Reports of several workloads of one model, one behind the other."""
    if len(documents) == 1:
        return documents[0]
    return Document(
        title=" and ".join(document.title for document in documents),
        lead=tuple(line for document in documents for line in document.lead),
        sections=tuple(
            replace(section, title=f"{section.title} ({document.title.removeprefix('Layers of ')})")
            for document in documents
            for section in document.sections
            if section.title != WORDS
        )
        + documents[-1].sections[-1:],
    )


def _lead(report: LayerReport) -> tuple[str, ...]:
    energy = report.energy_j
    joules = "no sensor saw its energy" if energy is None else f"{show(energy)} ({energy.basis})"
    closures = [f"time {show(report.latency_closure)}"]
    if report.energy_closure is not None:
        closures.append(f"joules {show(report.energy_closure)}")
    return (
        f"{report.name}: {show(report.latency_s)} a call, {joules}.",
        f"Sum of the layers over the whole model: {', '.join(closures)}.",
        f"Run on {report.device_name} ({', '.join(_conditions(report))}), "
        f"{report.run_count:,} instrumented calls{_among(report)}, ended by: {report.stopped_by}.",
    )


def _conditions(report: LayerReport) -> list[str]:
    """Device, dtype, threads, shapes and data: what the numbers hold for."""
    threads = f"{report.threads} thread{'' if report.threads == 1 else 's'}"
    return [
        report.device,
        report.dtype,
        *([threads] if report.threads is not None and report.device == "cpu" else []),
        *([shapes_in_words(report.input_shapes)] if report.input_shapes else []),
        *([report.data] if report.data else []),
    ]


def _among(report: LayerReport) -> str:
    return f" in {report.process_count} processes" if report.process_count > 1 else ""


def _energy_notes(report: LayerReport) -> tuple[str, ...]:
    energy = report.energy_j
    if energy is None:
        return ()
    if any(row.energy_j and row.energy_j.basis == "measured" for row in report.layers):
        return (
            "Joules are watts of the layer, replayed alone in the same recording, x its seconds "
            "inside the model. Work between layers cannot be replayed: it is given the mean power "
            "of the model, between the lowest and the highest that was seen, and is estimated.",
        )
    return (
        "Joules are each row's share of the time, of the joules of the whole: nothing here "
        f"measured one layer against another. The whole: {energy.source}.",
    )


def _closure_section(report: LayerReport) -> Section:
    """How far the rows add up, and what is known of the rest."""
    summed_s = sum(row.latency_s.point for row in report.layers if row.latency_s is not None)
    outside_s = sum(row.latency_s.point for row in report.outside if row.latency_s is not None)
    whole_s = report.latency_s.point
    rows = [
        ("sum of the layers / whole model, time", show(report.latency_closure)),
        ("residual, time", show_number(summed_s - whole_s, "s")),
        ("between layers, of the time", show_share(outside_s / summed_s if summed_s else None)),
        ("stamps, subtracted (known from empty modules)", show_number(report.tool_cost_s, "s")),
        ("stamps, as runs with and without differ", show_number(report.observed_tool_cost_s, "s")),
    ]
    if report.energy_closure is not None:
        rows.insert(1, ("sum of the layers / whole model, joules", show(report.energy_closure)))
    tables = [
        Table(
            caption="Closure",
            columns=(Column(label="what"), Column(label="value", role="number")),
            rows=tuple(rows),
        )
    ]
    if report.left_out:
        columns = (
            Column(label="layer", role="code"),
            Column(label="kind"),
            Column(label="lacks"),
            Column(label="reason"),
        )
        cells = tuple((item.path, item.kind, item.what, item.reason) for item in report.left_out)
        tables.append(Table(caption="Left out", columns=columns, rows=cells))
    return Section(title="Do the layers add up?", tables=tuple(tables))
