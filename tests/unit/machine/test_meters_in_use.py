"""Which sensors a ledger reads, and what CodeCarbon's model is to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.inference.energies import ChannelEnergy, TargetEnergy
from profiler.ledger import Ledger, Phase, read_ledger
from profiler.ledger.accounts import second_opinion, why_none
from profiler.ledger.table import render_ledger
from profiler.machine.carbon import carbon_factors
from profiler.machine.meters_in_use import in_use
from profiler.meters.overlap import without_double_counts
from profiler.recording.live_total import RunningTotal
from profiler.values.estimate import Basis, Estimate
from profiler.values.trace import Channel, ChannelKind
from tests.virtual.ledger import virtual_ledger


def channel(device: str, basis: Basis = Basis.MEASURED, source: str = "sensor") -> Channel:
    return Channel(device=device, kind=ChannelKind.ENERGY, source=source, basis=basis)


def joules(point: float, basis: Basis) -> ChannelEnergy:
    estimate = Estimate(
        point=point, low=point, high=point, unit="J", confidence=0.95, basis=basis, source=basis
    )
    return ChannelEnergy(energy_j=estimate, bracket_j=None)


MODEL = (channel("cpu", Basis.ESTIMATED), channel("ram", Basis.ASSUMED))
RAPL = channel("cpu:package-0", source="RAPL package")


def seen(counted: str) -> TargetEnergy:
    devices = {
        "cpu": joules(10.0, Basis.ESTIMATED),
        "ram": joules(5.0, Basis.ASSUMED),
        counted: joules(30.0, Basis.MEASURED),
    }
    return TargetEnergy(energy_j=devices[counted].energy_j, devices=devices, counted=(counted,))


def test_the_model_beside_a_sensor_is_a_second_opinion_that_counts_in_no_total() -> None:
    channels = without_double_counts((RAPL, *MODEL))
    assert [c.device for c in channels if c.uncountable] == ["cpu", "ram"]
    opinion_j = second_opinion(seen("cpu:package-0"), channels)
    assert opinion_j is not None
    assert opinion_j.point == 15.0
    assert opinion_j.basis is Basis.ASSUMED
    assert "covers CPU and memory alone, beside what cpu:package-0 measured" in opinion_j.source
    assert why_none(seen("cpu:package-0"), channels) is None


def test_the_model_is_no_second_opinion_on_itself() -> None:
    parts = {"cpu": joules(10.0, Basis.ESTIMATED), "ram": joules(5.0, Basis.ASSUMED)}
    whole = TargetEnergy(energy_j=parts["cpu"].energy_j, devices=parts, counted=("cpu", "ram"))
    assert second_opinion(whole, MODEL) is None
    why = why_none(whole, MODEL)
    assert why is not None
    assert "CodeCarbon's model already" in why.observed


def test_without_the_model_there_is_nothing_to_say() -> None:
    assert second_opinion(seen("cpu:package-0"), (RAPL,)) is None
    assert why_none(seen("cpu:package-0"), (RAPL,)) is None


def test_channels_of_unused_gpus_are_left_out_with_their_parts() -> None:
    devices = ("gpu:0", "gpu:0/memory", "gpu:1", "gpu:1/memory", "cpu:package-0", "ram")
    meter = object()
    ((_, kept),) = in_use([(meter, tuple(map(channel, devices)))], ["gpu:1"])  # type: ignore[list-item]  # never called
    assert [c.device for c in kept] == ["gpu:1", "gpu:1/memory", "cpu:package-0", "ram"]
    assert in_use([(meter, (channel("gpu:0"),))], []) == []  # type: ignore[list-item]  # never called


def test_this_machine_can_be_recorded_whatever_it_has(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, recipe={"lr": 0.1}, epochs=1, carbon=carbon_factors(country="FRA"))
    with ledger, ledger.phase(Phase.TRAIN, 1) as tally:
        tally.item_count = 3
    found = read_ledger(tmp_path)
    assert found.segments[0].ended == "finished"
    assert found.image_count == 3
    assert found.carbon.intensity_g_per_kwh.basis is Basis.QUOTED


def test_a_silent_sensor_ends_the_live_number(tmp_path: Path) -> None:
    ledger = virtual_ledger(tmp_path).start()
    ledger.sleep(2.0)
    total = RunningTotal(ledger.recorder.started_s or 0.0)
    total.feed(ledger.recorder.traces())
    now_s = ledger.clock.now_s()
    assert total.energy_j(now_s) is not None
    assert total.energy_j(now_s + 60) is None
    assert total.power_w(now_s + 60) is None
    ledger.stop()


def test_power_alone_is_integrated_for_the_live_number(tmp_path: Path) -> None:
    ledger = virtual_ledger(tmp_path, {"gpu:0": [(5.0, 100.0), (9.0, 300.0)]}, with_power=True)
    ledger.start()
    ledger.sleep(10.0)
    total = RunningTotal(ledger.recorder.started_s or 0.0)
    total.feed([t for t in ledger.recorder.traces() if t.channel.kind is ChannelKind.POWER])
    energy_j = total.energy_j(ledger.clock.now_s())
    assert energy_j is not None
    assert energy_j.point == pytest.approx(2000, rel=0.02)
    ledger.stop()


def test_a_ledger_is_shown_with_its_phases_segments_and_sources(tmp_path: Path) -> None:
    scripts = {"gpu:0": [(1.0, 300.0)], "cpu:package-0": [(1.0, 60.0)]}
    ledger = virtual_ledger(tmp_path, scripts, epochs=3).start()
    for epoch in (1, 2):
        with ledger.phase(Phase.TRAIN, epoch) as tally:
            ledger.sleep(5.0)
            tally.item_count = 1000
        ledger.note_epoch(epoch, accuracy=0.5)
    ledger.sleep(1.0)
    ledger.stop("interrupted")
    text = render_ledger(read_ledger(tmp_path), "[red]run")
    assert "energy ledger of [red]run" in text
    assert "2 of 3 epochs in 11 s, 2,000 training images" in text
    for words in ("train", "interrupted", "gpu:0", "PUE", "projected for 3 epochs", "estimated"):
        assert words in text
    assert "[1] synthetic counter, scripted power, segment model" in text
    assert "the phases come to 100.0" in text or "the phases come to 99.9" in text


def test_what_no_sensor_saw_is_shown_as_not_seen(tmp_path: Path) -> None:
    virtual_ledger(tmp_path, {}).start().stop()
    text = render_ledger(read_ledger(tmp_path), "run")
    assert "all joules (gross)" in text
    assert "not seen" in text
    assert " 0 J" not in text
