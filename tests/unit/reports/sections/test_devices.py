"""What cells stored of the device is told, and what they stored wrongly is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiler.errors import StoreError
from profiler.values.codec import encode
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.hardware import CopyRate, HardwareBest
from profiler.values.sensor_response import SensorResponse
from reports.sections.devices import device_sections
from reports.studies.cell import Cell, CellEnd, CellKind, CellState
from reports.studies.study_folder import StoredStudy, StudyDocument

DOCTOR = Cell(name="doctor", kind=CellKind.DOCTOR, models=(), device="cuda:0")
LAYERS = Cell(name="layers", kind=CellKind.LAYERS, models=("a",), device="cuda:0")


def value(point: float, unit: str = "", spread: float = 0.1) -> Estimate:
    return Estimate(
        point=point, low=point * (1 - spread), high=point * (1 + spread), unit=unit,
        confidence=0.95, basis=Basis.MEASURED, source="test",
    )  # fmt: skip


BEST = HardwareBest(
    device_name="a card", fingerprint="f", created_utc="2026-11-30T00:00:00Z", threads=1,
    flop_rates={"fp32": value(1e12, "FLOP/s")},
    copy_rates=(CopyRate(footprint_bytes=1, rate=value(1e12, "B/s")),),
    empty_call_s=stated(1e-5, "s", Basis.MEASURED, "test"), flop_energies_j={},
    byte_energy_j=None, idle_power_w=value(90, "W"),
)  # fmt: skip


def response(look_s: Estimate | None) -> SensorResponse:
    return SensorResponse(
        load="products", period_s=0.1, burst_s=0.03, burst_period_s=0.103, idle_w=value(90, "W"),
        loaded_w=value(600, "W"), counter_swing=value(0.9), power_swing=value(1.0),
        counter_look_s=look_s, delays_s={"instant power field": value(0.06, "s")},
    )  # fmt: skip


def study(folder: Path, outputs: dict[Cell, object]) -> StoredStudy:
    cells = tuple(outputs)
    end = CellEnd(
        code="", state=CellState.FINISHED, command=(), started_utc="", duration_s=1.0,
        device="cuda:0", engine="local",
    )  # fmt: skip
    document = StudyDocument(id="s", title="S", created_utc="", version="", cells=cells)
    stored = StoredStudy(folder=folder, document=document, ends={c.name: end for c in cells})
    for cell, output in outputs.items():
        stored.folder_of(cell).mkdir(parents=True)
        (stored.folder_of(cell) / "output.txt").write_text(json.dumps(output))
    return stored


@pytest.mark.parametrize(
    ("look_s", "words"),
    [
        (value(0.025, "s"), "looks at a part of each 100 ms only"),
        (value(0.099, "s"), "sees all of each 100 ms"),
        (value(0.075, "s"), "is open"),
        (None, "is open"),
    ],
)
def test_whether_the_counter_sees_everything_is_said(tmp_path, look_s, words) -> None:
    seen = {"hardware": encode(BEST), "sensor_response": encode(response(look_s))}
    layers = {"latency_closure": encode(value(0.99)), "energy_closure": None}
    sections = device_sections(study(tmp_path, {DOCTOR: seen, LAYERS: layers}))
    assert [section.title for section in sections] == [
        "What the device can do", "How the sensors follow a load", "Whether the layers add up",
    ]  # fmt: skip
    assert words in sections[1].paragraphs[0]
    assert sections[2].tables[0].rows[0][0] == "layers"


def test_an_output_of_another_form_is_an_error(tmp_path) -> None:
    with pytest.raises(StoreError, match="holds no output of doctor"):
        device_sections(study(tmp_path, {DOCTOR: {"hardware": 3}}))
