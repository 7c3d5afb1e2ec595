"""Runs of a host's loop, cut into phases, against known truth on a clock that jumps."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from profiler.integrations.job import JobEnergy
from profiler.integrations.nodes import RankPlace
from profiler.ledger import settlement, settler
from tests.virtual.jobs import VirtualMachine


def begun(machine: VirtualMachine, stage: str = "fit") -> JobEnergy:
    job = JobEnergy(machine.record)
    job.start(stage, RankPlace())
    return job


def joules(job: JobEnergy, name: str) -> float:
    energy_j = job.energies[name]
    assert energy_j is not None
    return energy_j.point


def inference_costs(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every settlement take so much CPU time, whatever the machine."""
    ticks = itertools.count(step=seconds)
    monkeypatch.setattr(settler.time, "thread_time", lambda: float(next(ticks)))


def test_each_phase_has_its_own_joules_and_together_they_are_the_whole() -> None:
    machine = VirtualMachine([(1.0, 50.0), (4.0, 200.0), (2.0, 100.0), (9.0, 50.0)])
    job = begun(machine)
    machine.sleep(1.0)
    job.switch("train_epoch", 0)
    machine.sleep(4.0)
    job.switch("validation", 0)
    machine.sleep(2.0)
    job.pause()
    machine.sleep(1.0)
    job.finish()
    assert joules(job, "train_epoch 0") == pytest.approx(800, rel=0.01)
    assert joules(job, "validation 0") == pytest.approx(200, rel=0.02)
    assert joules(job, "fit") == pytest.approx(50 + 800 + 200 + 50, rel=0.01)
    assert job.segments[0].duration_s == pytest.approx(8.0)


def test_an_epoch_does_not_contain_the_validation_that_interrupts_it() -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    job = begun(machine)
    for phase in ("train_epoch", "validation", "train_epoch"):
        job.switch(phase, 3)
        machine.sleep(5.0)
        job.settled_parts()
    job.finish()
    assert joules(job, "train_epoch 3") == pytest.approx(1000, rel=0.01)
    assert joules(job, "validation 3") == pytest.approx(500, rel=0.01)


def test_a_phase_may_be_named_when_it_is_over_even_after_a_break() -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    job = begun(machine, "train")
    machine.sleep(1.0)
    job.switch("train_epoch", 0)
    machine.sleep(3.0)
    job.pause()
    machine.sleep(2.0)
    job.state()
    machine.sleep(2.0)
    job.switch_earlier("save", 0)
    job.pause()
    machine.sleep(1.0)
    job.finish()
    assert set(job.energies) == {"train", "train_epoch 0", "save 0"}
    assert joules(job, "save 0") == pytest.approx(400, rel=0.01)
    assert joules(job, "train_epoch 0") == pytest.approx(300, rel=0.02)


def test_a_phase_that_has_not_been_inferred_is_unknown_and_not_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    job = begun(machine)
    job.switch("train_epoch", 0)
    machine.sleep(5.0)
    assert joules(job, "train_epoch 0") == pytest.approx(500, rel=0.02)
    inference_costs(monkeypatch, 100.0)
    job.switch("train_epoch", 1)
    machine.sleep(5.0)
    job.settled_parts()
    (segment,) = job.state()["segments"]
    assert segment["parts"]["train_epoch 1"] is None
    assert segment["energy_j"]["low"] <= 1000 <= segment["energy_j"]["high"]
    job.finish()
    assert joules(job, "train_epoch 1") == pytest.approx(500, rel=0.02)


def test_while_a_job_runs_no_time_is_spent_beyond_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inference_costs(monkeypatch, 0.25)
    machine = VirtualMachine([(600.0, 100.0)])
    job = begun(machine)
    told = []
    for epoch in range(12):
        job.switch("train_epoch", epoch)
        told += [epoch for _, epoch, _ in job.settled_parts()]
        machine.sleep(5.0)
    assert told == [0]
    told += [epoch for _, epoch, _ in job.finish()]
    assert sorted(set(told)) == told


def test_what_is_over_is_told_once_and_the_present_phase_is_not_told() -> None:
    machine = VirtualMachine([(60.0, 100.0)])
    job = begun(machine)
    for epoch in range(2):
        job.switch("train_epoch", epoch)
        machine.sleep(5.0)
    assert [(phase, epoch) for phase, epoch, _ in job.settled_parts()] == [("train_epoch", 0)]
    assert job.settled_parts() == ()
    assert [(phase, epoch) for phase, epoch, _ in job.finish()] == [("train_epoch", 1)]


def test_our_own_work_is_in_the_whole_and_in_no_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    infer = settlement.infer

    def slowly(*arguments: Any) -> Any:
        machine.sleep(1.0)
        return infer(*arguments)

    monkeypatch.setattr(settlement, "infer", slowly)
    job = begun(machine, "train")
    job.switch("train_epoch", 0)
    machine.sleep(5.0)
    job.pause()
    machine.sleep(1.0)
    assert len(job.settled_parts()) == 1
    machine.sleep(1.0)
    job.switch_earlier("save", 0)
    job.pause()
    machine.sleep(1.0)
    monkeypatch.undo()
    job.finish()
    assert joules(job, "train_epoch 0") == pytest.approx(500, rel=0.01)
    assert joules(job, "save 0") == pytest.approx(200, rel=0.01)
    assert joules(job, "train") == pytest.approx(900, rel=0.01)


def test_a_sliver_between_two_events_hides_nothing() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    job = begun(machine)
    job.switch("train_epoch", 0)
    machine.sleep(5.0)
    job.switch("validation", 0)
    machine.sleep(5.0)
    job.switch("train_epoch", 0)
    job.pause()
    job.finish()
    assert joules(job, "train_epoch 0") == pytest.approx(500, rel=0.01)
    assert job.findings == ()


def test_a_phase_of_slivers_alone_is_still_told() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    job = begun(machine)
    machine.sleep(2.0)
    job.switch("validation", 0)
    machine.sleep(0.0005)
    job.pause()
    machine.sleep(2.0)
    job.finish()
    low_energy = job.energies["validation 0"]
    assert low_energy is not None
    assert low_energy.low is not None
    assert low_energy.low <= 0.05 <= (low_energy.high or 0.0)


def test_hundreds_of_short_epochs_are_settled_together_and_nothing_is_made_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inference_costs(monkeypatch, 0.1)
    machine = VirtualMachine([(600.0, 100.0)])
    asked: list[int] = []
    infer = settlement.infer

    def counted(seen: Any, targets: Any) -> Any:
        asked.append(len(targets))
        return infer(seen, targets)

    monkeypatch.setattr(settlement, "infer", counted)
    job = begun(machine)
    for epoch in range(60):
        job.switch("train_epoch", epoch)
        job.settled_parts()
        machine.sleep(0.04)
        job.switch("validation", epoch)
        machine.sleep(0.01)
        job.pause()
        job.state()
    job.finish()
    assert sum(asked) < 60
    energies = job.energies
    assert {f"train_epoch {epoch}" for epoch in range(60)} <= set(energies)
    whole_j = joules(job, "fit")
    assert whole_j == pytest.approx(60 * 0.05 * 100.0, rel=0.02)
    parts_j = [e.point for name, e in energies.items() if e is not None and name != "fit"]
    assert sum(parts_j) == pytest.approx(whole_j, rel=0.03)
    lines = job.summary().splitlines()
    assert len(lines) < 30
    assert any(line.startswith("train_epoch ") and ", validation " in line for line in lines)
    assert "phases-together" in {finding.kind for finding in job.findings}
