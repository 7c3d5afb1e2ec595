"""The same windows on a virtual card of constant power, where all can be held to the truth."""

from __future__ import annotations

import time

import pytest

from profiler.machine.device import Device
from reports.rivals import scenarios
from reports.rivals.readers import COUNTER, OURS, ZEUS
from reports.rivals.scenarios import LoadedWindow, measure_rivals
from reports.sections.devices import rivals_section
from tests.virtual.nvml import Scenario, VirtualGpu, install
from tests.virtual.power import constant

POWER_W, WINDOW_S = 300.0, 0.15


class Sleeping:
    """A load that draws what everything draws."""

    text = "nothing at all"

    def __init__(self) -> None:
        self._seconds = 0.0

    def launch(self, seconds: float) -> None:
        self._seconds += seconds

    def wait(self) -> None:
        time.sleep(self._seconds)
        self._seconds = 0.0


def test_windows_are_read_by_all_and_held_against_the_counter_over_all(monkeypatch) -> None:
    monkeypatch.setattr(scenarios, "IDLE_S", 0.3)
    windows = (LoadedWindow(gap_s=0.1, window_s=WINDOW_S),) * 3
    bursts = (LoadedWindow(gap_s=0.1, window_s=WINDOW_S, burst_s=0.01, period_s=0.05),)
    made = {"short": windows, "bursts": bursts}
    monkeypatch.setattr(scenarios, "scenarios", lambda seed: made)
    gpu = VirtualGpu(script=constant(POWER_W, 60).at(time.monotonic()))
    card = Device(name="cuda:0", label="a card", identity=gpu.uuid, synchronize=lambda: None)
    with install(Scenario(gpus=(gpu,))):
        report = measure_rivals(card, load=Sleeping())
    rows = {(row.scenario, row.method): row for row in report.rows}
    ours = rows["short", OURS]
    assert ours.sum_j is not None
    assert ours.sum_j.point == pytest.approx(3 * POWER_W * WINDOW_S, rel=0.1)
    # It moves every 100 ms: a window of 150 ms sees one move or two.
    steps = {round(energy.point / (POWER_W * 0.1)) for energy in rows["short", COUNTER].energies_j}
    assert steps <= {1, 2}
    assert len(rows["bursts", OURS].energies_j) == 1
    assert report.references_j.keys() == made.keys()
    assert ZEUS in report.left_out
    section = rivals_section(report)
    assert [table.caption.partition(";")[0] for table in section.tables] == ["short", "bursts"]


def test_a_device_without_a_counter_is_read_by_those_that_need_none(monkeypatch) -> None:
    monkeypatch.setattr(
        scenarios, "scenarios", lambda seed: {"s": (LoadedWindow(gap_s=0.0, window_s=0.05),)}
    )
    cpu = Device(name="cpu", label="a CPU", identity=None, synchronize=lambda: None)
    with install(Scenario(library_fault="no library")):
        report = measure_rivals(cpu, load=Sleeping())
    assert report.references_j == {}
    assert {row.ratio for row in report.rows} == {None}
    assert OURS in {row.method for row in report.rows}


def test_the_windows_of_a_seed_are_the_same() -> None:
    assert scenarios.scenarios(3) == scenarios.scenarios(3)
    assert scenarios.scenarios(3) != scenarios.scenarios(4)
