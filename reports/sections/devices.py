"""What a study found of the device itself, as sections: its sensors, its best, and its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from profiler.errors import StoreError
from profiler.render import Column, Section, Table
from profiler.render.codecarbon_table import brief_rows
from profiler.render.roofline import best_tables
from profiler.render.sensor_tables import response_section
from profiler.values.codec import FormError, decode
from profiler.values.estimate import Estimate
from profiler.values.hardware import HardwareBest
from profiler.values.plain_text import clean
from profiler.values.sensor_response import SensorResponse
from profiler.values.units import NOT_SEEN, show
from reports.rivals.report import RivalReport
from reports.studies.cell import Cell, CellKind
from reports.studies.study_folder import StoredStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """What is read of `doctor --calibrate`."""

    hardware: HardwareBest
    sensor_response: SensorResponse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layered:
    """What is read of `layers`."""

    latency_closure: Estimate | None = None
    energy_closure: Estimate | None = None


def device_sections(study: StoredStudy) -> tuple[Section, ...]:
    """Sections of the finished cells that looked at the device.

    Raises:
        StoreError: what a cell stored cannot be read.
    """
    sections: list[Section] = []
    for cell in study.document.cells:
        if cell.kind is CellKind.DOCTOR and (seen := _read(study, cell, _Examined)) is not None:
            tables = best_tables(seen.hardware)
            sections.append(Section(title="What the device can do", tables=tables))
            if seen.sensor_response is not None:
                sections.append(response_section(seen.sensor_response))
        if cell.kind is CellKind.RIVALS and (report := _read(study, cell, RivalReport)) is not None:
            sections.append(rivals_section(report))
    closures = _closures(study)
    return (*sections, *(() if closures is None else (closures,)))


def _closures(study: StoredStudy) -> Section | None:
    rows = tuple(
        (cell.name, show(seen.latency_closure), show(seen.energy_closure))
        for cell in study.document.cells
        if cell.kind is CellKind.LAYERS and (seen := _read(study, cell, _Layered)) is not None
    )
    if not rows:
        return None
    columns = (
        Column(label="cell", role="code"),
        Column(label="seconds", role="number"),
        Column(label="joules", role="number"),
    )
    table = Table(caption="Sum over the layers / whole model", columns=columns, rows=rows)
    return Section(title="Whether the layers add up", tables=(table,))


def rivals_section(report: RivalReport) -> Section:
    """A table a scenario, and CodeCarbon's account of the whole."""
    columns = (
        Column(label="read by"),
        Column(label="sum of the windows", role="number"),
        Column(label="over the reference", role="number"),
    )
    tables = []
    for scenario in dict.fromkeys(row.scenario for row in report.rows):
        reference = show(report.references_j.get(scenario))
        rows = tuple(
            (row.method, show(row.sum_j), NOT_SEEN if row.ratio is None else show(row.ratio))
            for row in report.rows
            if row.scenario == scenario
        )
        tables.append(
            Table(caption=f"{scenario}; reference {reference}", columns=columns, rows=rows)
        )
    if report.codecarbon is not None:
        told = tuple((label, show(number)) for label, number in brief_rows(report.codecarbon))
        tables.append(
            Table(
                caption="CodeCarbon, over everything", rows=told,
                columns=(Column(label="what"), Column(label="it says", role="number")),
            )
        )  # fmt: skip
    return Section(
        title="The same windows, read by each",
        tables=tuple(tables),
        notes=tuple(f"{name} is left out: {why}" for name, why in report.left_out.items()),
    )


def _read(study: StoredStudy, cell: Cell, kind: Any) -> Any:
    output = study.output_of(cell)
    if output is None:
        return None
    try:
        return decode(output, kind)
    except FormError as error:
        raise StoreError(
            f"'{clean(str(study.folder_of(cell)))}' holds no output of {cell.kind}: {error}",
            hint="delete that folder and run the study again",
        ) from error
