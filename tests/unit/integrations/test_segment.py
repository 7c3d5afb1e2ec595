from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from profiler.integrations import segment as segment_module
from profiler.integrations.segment import LiveSegment, SegmentEnergy
from profiler.values.estimate import Estimate
from tests.virtual.jobs import VirtualMachine


def ended(segment: LiveSegment) -> SegmentEnergy:
    segment.stop()
    segment.settle(math.inf)
    return segment.energy(complete=True, host="host", hardware="a GPU")


def joules(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.point


def test_each_stage_has_its_own_joules_and_together_they_are_the_whole() -> None:
    machine = VirtualMachine([(1.0, 50.0), (4.0, 200.0), (2.0, 100.0), (9.0, 50.0)])
    segment = LiveSegment(machine.record(), "fit")
    machine.sleep(1.0)
    segment.switch("train_epoch", 0)
    machine.sleep(4.0)
    segment.switch("validation", 0)
    machine.sleep(2.0)
    segment.switch("other")
    machine.sleep(1.0)
    energy = ended(segment)
    assert joules(energy.parts["train_epoch 0"]) == pytest.approx(800, rel=0.01)
    assert joules(energy.parts["validation 0"]) == pytest.approx(200, rel=0.02)
    assert joules(energy.energy_j) == pytest.approx(50 + 800 + 200 + 50, rel=0.01)
    assert energy.duration_s == pytest.approx(8.0)


def test_an_epoch_does_not_contain_the_validation_that_interrupts_it() -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    segment = LiveSegment(machine.record(), "fit")
    for stage in ("train_epoch", "validation", "train_epoch"):
        segment.switch(stage, 3)
        machine.sleep(5.0)
    energy = ended(segment)
    assert joules(energy.parts["train_epoch 3"]) == pytest.approx(1000, rel=0.01)
    assert joules(energy.parts["validation 3"]) == pytest.approx(500, rel=0.01)


def test_a_stretch_may_be_named_when_it_is_over_even_after_a_break() -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    segment = LiveSegment(machine.record(), "train")
    machine.sleep(1.0)
    segment.switch("train_epoch", 0)
    machine.sleep(3.0)
    segment.switch("other")
    machine.sleep(2.0)
    with segment.aside():
        pass
    machine.sleep(2.0)
    segment.relabel("save", 0)
    segment.switch("other")
    machine.sleep(1.0)
    energy = ended(segment)
    assert set(energy.parts) == {"train_epoch 0", "save 0"}
    assert joules(energy.parts["save 0"]) == pytest.approx(400, rel=0.01)


def test_a_stage_that_has_not_been_inferred_is_unknown_and_not_nothing() -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    segment = LiveSegment(machine.record(), "fit")
    segment.switch("train_epoch", 0)
    machine.sleep(5.0)
    with segment.aside():
        assert segment.parts == {"train_epoch 0": None}
        segment.settle(math.inf)
    assert joules(segment.parts["train_epoch 0"]) == pytest.approx(500, rel=0.02)


def test_no_time_is_spent_beyond_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(segment_module.time, "monotonic", lambda: float(next(ticks)))
    machine = VirtualMachine([(600.0, 100.0)])
    segment = LiveSegment(machine.record(), "fit")
    for epoch in range(12):
        segment.switch("train_epoch", epoch)
        machine.sleep(5.0)
    segment.settle(0.0)
    assert set(segment.parts.values()) == {None}
    segment.settle(0.5)
    known = [value for value in segment.parts.values() if value is not None]
    assert len(known) == 8
    assert len(segment.fresh_parts()) == 8
    assert segment.fresh_parts() == ()


def test_what_is_over_is_told_once_and_the_present_stage_is_not_told() -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    segment = LiveSegment(machine.record(), "fit")
    for epoch in range(2):
        segment.switch("train_epoch", epoch)
        machine.sleep(5.0)
    segment.settle(math.inf)
    assert [(stage, epoch) for stage, epoch, _ in segment.fresh_parts()] == [("train_epoch", 0)]
    segment.stop()
    segment.settle(math.inf)
    assert [(stage, epoch) for stage, epoch, _ in segment.fresh_parts()] == [("train_epoch", 1)]


def test_our_own_work_is_in_the_whole_and_in_no_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    infer = segment_module.infer_energies

    def slowly(*arguments: Any, **named: Any) -> Any:
        machine.sleep(1.0)
        return infer(*arguments, **named)

    monkeypatch.setattr(segment_module, "infer_energies", slowly)
    segment = LiveSegment(machine.record(), "train")
    segment.switch("train_epoch", 0)
    machine.sleep(5.0)
    segment.switch("other")
    machine.sleep(1.0)
    segment.settle(math.inf)
    machine.sleep(1.0)
    segment.relabel("save", 0)
    segment.switch("other")
    machine.sleep(1.0)
    monkeypatch.undo()
    energy = ended(segment)
    assert joules(energy.parts["train_epoch 0"]) == pytest.approx(500, rel=0.01)
    assert joules(energy.parts["save 0"]) == pytest.approx(200, rel=0.01)
    assert joules(energy.energy_j) == pytest.approx(900, rel=0.01)


def test_a_sliver_between_two_events_is_not_inferred_and_hides_nothing() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    segment = LiveSegment(machine.record(), "fit")
    segment.switch("train_epoch", 0)
    machine.sleep(5.0)
    segment.switch("validation", 0)
    machine.sleep(5.0)
    segment.switch("train_epoch", 0)
    segment.switch("other")
    energy = ended(segment)
    assert joules(energy.parts["train_epoch 0"]) == pytest.approx(500, rel=0.01)
    assert energy.findings == ()


def test_a_stage_of_slivers_alone_is_still_told() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    segment = LiveSegment(machine.record(), "fit")
    machine.sleep(2.0)
    segment.switch("validation", 0)
    machine.sleep(0.0005)
    segment.switch("other")
    machine.sleep(2.0)
    low_energy = ended(segment).parts["validation 0"]
    assert low_energy is not None
    assert low_energy.low is not None
    assert low_energy.low <= 0.05 <= (low_energy.high or 0.0)
