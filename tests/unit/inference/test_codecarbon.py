"""CodeCarbon's account beside ours: the same devices and span, and a word where they differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.inference import ChannelEnergy, TargetEnergy
from profiler.inference.codecarbon import opinion_of, span_of
from profiler.inference.combine import DeviceSum
from profiler.values.codecarbon import CodeCarbonOpinion, TrackerReading
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind

KWH = 3.6e6
MODEL = "CodeCarbon 3.3 estimate"


def reading(basis: Basis = Basis.MEASURED, **joules: float) -> TrackerReading:
    return TrackerReading(
        version="3.3.2", tracking_mode="machine", start_s=100.0, end_s=120.0,
        parts={d: stated(j / KWH, "kWh", basis, f"tracker of {d}") for d, j in joules.items()},
        gpu_identities=("GPU-a",), emissions_g=stated(2.0, "g", Basis.QUOTED, "tracker x table"),
        cpu_s=stated(0.1, "s", Basis.MEASURED, "usage"),
        startup_cpu_s=stated(1.5, "s", Basis.MEASURED, "usage"),
    )  # fmt: skip


def measured(energy_j: float, basis: Basis = Basis.MEASURED) -> Estimate:
    return Estimate(
        point=energy_j, low=0.99 * energy_j, high=1.01 * energy_j, unit="J", confidence=0.95,
        basis=basis, source="RAPL" if basis is Basis.MEASURED else MODEL,
    )  # fmt: skip


def channel(device: str, basis: Basis = Basis.MEASURED, **more: object) -> Channel:
    return Channel(device=device, kind=ChannelKind.ENERGY, source="a sensor", basis=basis, **more)  # type: ignore[arg-type]  # fields of Channel


def beside(
    theirs: TrackerReading, seen: dict[Channel, float]
) -> tuple[CodeCarbonOpinion, tuple[Finding, ...]]:
    devices = {
        c.device: ChannelEnergy(energy_j=measured(energy_j, c.basis), bracket_j=None)
        for c, energy_j in seen.items()
    }
    whole: TargetEnergy = DeviceSum(list(seen)).of(devices)
    return opinion_of(theirs, whole, list(seen))


def test_the_same_devices_are_put_beside_each_other() -> None:
    opinion, findings = beside(
        reading(cpu=300.0, gpu=500.0, ram=40.0),
        {
            channel("cpu:package-0", contains=("cpu:package-0/core",)): 100.0,
            channel("cpu:package-0/core"): 60.0,
            channel("cpu:package-1"): 200.0,
            channel("dram:package-0"): 40.0,
            channel("gpu:0", identity="GPU-a"): 500.0,
            channel("gpu:1", identity="GPU-b"): 900.0,
            channel("psys"): 5000.0,
        },
    )
    own = {part.device: part.own_energy_kwh for part in opinion.parts}
    assert {d: e.point * KWH for d, e in own.items() if e} == pytest.approx(
        {"cpu": 300, "gpu": 500, "ram": 40}
    )
    assert [part.ratio.point for part in opinion.parts if part.ratio] == pytest.approx([1, 1, 1])
    assert opinion.ratio is not None
    assert opinion.ratio.basis is Basis.MEASURED
    assert opinion.energy_kwh is not None
    assert opinion.energy_kwh.point * KWH == pytest.approx(840)
    assert findings == ()


def test_the_span_and_the_cost_of_the_tracker_are_stated() -> None:
    theirs = reading(cpu=300.0)
    opinion, _ = beside(theirs, {})
    assert (span_of(theirs).start_s, span_of(theirs).end_s) == (100.0, 120.0)
    assert opinion.span_s.point == 20.0
    assert opinion.core_share.point == pytest.approx(0.1 / 20)
    assert dict(opinion.numbers())["codecarbon_startup_cpu_s"] == theirs.startup_cpu_s


def test_what_one_of_both_misses_is_no_disagreement() -> None:
    opinion, findings = beside(reading(cpu=300.0, ram=999.0), {channel("cpu:package-0"): 300.0})
    ram = next(part for part in opinion.parts if part.device == "ram")
    assert (ram.own_energy_kwh, ram.ratio) == (None, None)
    assert opinion.ratio is not None
    assert opinion.ratio.point == pytest.approx(1.0)
    assert findings == ()


@pytest.mark.parametrize(
    ("basis", "remedy"),
    [(Basis.ESTIMATED, "go by the sensor"), (Basis.MEASURED, "both read a sensor")],
)
def test_a_disagreement_is_a_finding(basis: Basis, remedy: str) -> None:
    _, (finding,) = beside(reading(basis, cpu=690.0), {channel("cpu:package-0"): 300.0})
    assert finding.kind == "codecarbon-differs"
    assert "cpu at 2.3 times" in finding.observed
    assert "20.0 s" in finding.observed
    assert finding.remedy.startswith(remedy)


@given(st.floats(0.2, 5.0))
def test_they_disagree_beyond_ten_percent_and_the_edges(factor: float) -> None:
    _, findings = beside(reading(cpu=300.0 * factor), {channel("cpu:package-0"): 300.0})
    most = 1 + 0.1 + 0.2 / 20
    assert bool(findings) == (not 1 / most <= factor <= most)


def test_a_short_span_forgives_the_age_of_a_counter_at_its_edges() -> None:
    short = replace(reading(gpu=360.0), end_s=101.0)
    _, findings = beside(short, {channel("gpu:0", identity="GPU-a"): 300.0})
    assert findings == ()


def test_one_model_on_both_sides_is_no_second_opinion() -> None:
    seen = {channel("cpu", Basis.ESTIMATED): 300.0, channel("ram", Basis.ASSUMED): 40.0}
    _, (alone,) = beside(reading(Basis.ESTIMATED, cpu=300.0, ram=40.0), seen)
    assert alone.kind == "no-second-opinion"
    assert "no sensor measured the joules:" in alone.observed
    seen[channel("gpu:0", identity="GPU-a")] = 500.0
    opinion, (besides,) = beside(reading(Basis.ESTIMATED, cpu=300.0, ram=40.0, gpu=500.0), seen)
    assert "no sensor measured the joules of cpu and ram:" in besides.observed
    assert opinion.ratio is not None
    assert opinion.ratio.basis is Basis.ASSUMED
