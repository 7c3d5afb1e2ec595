from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.inference import infer_energies
from profiler.values.estimate import Basis
from profiler.values.trace import CounterTrace, PowerTrace, Window
from tests.unit.inference.truth import COUNTER, POWER, counter_trace, power_trace
from tests.virtual.power import constant

WINDOW = Window(name="w", start_s=1.0, end_s=3.0)


def counter(device: str, power_w: float, **options: object) -> CounterTrace:
    channel = replace(COUNTER, device=device, **options)  # type: ignore[arg-type]  # its own fields
    return counter_trace(constant(power_w), until_s=4.0, channel=channel)


def power(device: str, power_w: float, **options: object) -> PowerTrace:
    channel = replace(POWER, device=device, **options)  # type: ignore[arg-type]  # its own fields
    return power_trace(constant(power_w), until_s=4.0, channel=channel)


def joules(*traces: CounterTrace | PowerTrace):
    return infer_energies(traces, [(WINDOW,)], [WINDOW])[0]


def test_devices_beside_each_other_are_summed() -> None:
    energy = joules(counter("gpu:0", 100.0), counter("gpu:1", 50.0)).energy_j
    assert energy is not None
    assert energy.point == pytest.approx(300.0, rel=1e-3)
    assert energy.basis is Basis.MEASURED


def test_what_lies_inside_another_device_is_not_counted_twice() -> None:
    found = joules(
        counter("psys", 100.0, contains=("package",)),
        counter("package", 60.0, contains=("core",)),
        counter("core", 30.0),
    )
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(200.0, rel=1e-3)
    assert set(found.devices) == {"psys", "package", "core"}


def test_a_container_that_cannot_tell_leaves_its_parts_to_be_counted() -> None:
    blind = counter_trace(
        constant(100.0), until_s=1.5, last_seen_s=4.0,
        channel=replace(COUNTER, device="psys", contains=("package",)),
    )  # fmt: skip
    found = joules(blind, counter("package", 60.0))
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(120.0, rel=1e-3)


def test_a_device_that_cannot_tell_is_not_silently_left_out_of_a_total() -> None:
    blind = counter_trace(constant(100.0), until_s=1.5, channel=replace(COUNTER, device="gpu:1"))
    found = joules(counter("gpu:0", 100.0), blind)
    assert found.energy_j is None
    assert "incomplete-total" in {finding.kind for finding in found.findings}
    assert found.devices["gpu:0"].energy_j is not None


def test_what_must_not_be_counted_is_shown_but_left_out() -> None:
    found = joules(counter("gpu:0", 100.0), counter("gpu:1", 50.0, uncountable="MIG parent"))
    assert found.energy_j is not None
    assert found.energy_j.point == pytest.approx(200.0, rel=1e-3)
    assert found.devices["gpu:1"].energy_j is not None


def test_power_stands_in_for_a_frozen_counter_and_says_so() -> None:
    frozen = counter_trace(constant(100.0), until_s=1.5, last_seen_s=4.0)
    found = joules(frozen, power("gpu:0", 100.0))
    energy = found.devices["gpu:0"].energy_j
    assert energy is not None
    assert energy.point == pytest.approx(200.0)
    assert energy.source == "power, integrated"
    assert {"counter-frozen", "power-fallback"} <= {finding.kind for finding in found.findings}


def test_an_estimate_stands_beside_a_measured_total_and_is_named() -> None:
    found = joules(counter("gpu:0", 100.0), power("ram", 25.0, basis=Basis.ESTIMATED))
    assert found.energy_j is not None
    assert found.energy_j.basis is Basis.MEASURED
    assert found.energy_j.point == pytest.approx(200.0, rel=1e-3)
    assert "estimate-beside" in {finding.kind for finding in found.findings}
    assert found.devices["ram"].energy_j is not None


def test_no_sensor_at_all_is_none() -> None:
    assert joules().energy_j is None
