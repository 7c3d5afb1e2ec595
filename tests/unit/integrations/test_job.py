from __future__ import annotations

import copy
import json
import logging
import pickle
from pathlib import Path

import pytest

from profiler.integrations.job import JobEnergy
from profiler.integrations.nodes import RankPlace
from tests.virtual.jobs import VirtualMachine, broken_driver, never_records


def trained(machine: VirtualMachine, *, epochs: int = 2) -> JobEnergy:
    """A job of 5 s an epoch."""
    job = JobEnergy(machine.record)
    job.start("fit", RankPlace())
    for epoch in range(epochs):
        job.switch("train_epoch", epoch)
        machine.sleep(5.0)
    job.pause()
    return job


def joules(job: JobEnergy, name: str) -> float:
    energy_j = job.energies[name]
    assert energy_j is not None
    return energy_j.point


def test_a_job_has_a_total_and_the_joules_of_each_epoch() -> None:
    job = trained(VirtualMachine([(5.0, 100.0), (60.0, 300.0)]))
    told = job.finish()
    assert [(stage, epoch) for stage, epoch, _ in told] == [("train_epoch", 0), ("train_epoch", 1)]
    assert joules(job, "train_epoch 0") == pytest.approx(500, rel=0.01)
    assert joules(job, "train_epoch 1") == pytest.approx(1500, rel=0.01)
    assert job.total is not None
    assert job.total.point == pytest.approx(2000, rel=0.01)
    assert job.findings == ()


def test_only_the_first_process_of_a_host_opens_sensors() -> None:
    job = JobEnergy(never_records)
    job.start("fit", RankPlace(local_rank=1, global_rank=1, world_size=2, local_world_size=2))
    job.switch("train_epoch", 0)
    assert job.finish() == ()
    assert job.total is None
    assert job.energies == {}
    assert [finding.kind for finding in job.findings] == ["recorded-elsewhere"]


def test_starting_twice_is_one_segment() -> None:
    machine = VirtualMachine()
    job = trained(machine)
    job.start("fit", RankPlace())
    job.finish()
    assert len(machine.recordings) == 1
    assert len(job.segments) == 1


def test_a_resumed_job_goes_on_counting_and_says_what_it_cannot_know() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    first = trained(machine)
    state = json.loads(json.dumps(first.state()))
    machine.sleep(3.0)
    resumed = trained(VirtualMachine([(600.0, 100.0)]), epochs=1)
    resumed.restore(state)
    resumed.finish()
    assert joules(resumed, "fit") == pytest.approx(1500, rel=0.01)
    assert joules(resumed, "train_epoch 0") == pytest.approx(1000, rel=0.01)
    assert joules(resumed, "train_epoch 1") == pytest.approx(500, rel=0.02)
    assert resumed.findings[0].kind == "resumed"


def test_a_checkpoint_in_the_middle_of_an_epoch_holds_the_part_that_is_over() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    job = JobEnergy(machine.record)
    job.start("fit", RankPlace())
    job.switch("train_epoch", 0)
    machine.sleep(5.0)
    state = job.state()
    machine.sleep(5.0)
    resumed = JobEnergy(machine.record)
    resumed.restore(state)
    assert joules(resumed, "train_epoch 0") == pytest.approx(500, rel=0.02)
    job.pause()
    job.finish()
    assert joules(job, "train_epoch 0") == pytest.approx(1000, rel=0.01)


def test_each_run_of_a_loop_has_its_own_joules_and_all_are_in_the_total() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    job = trained(machine)
    job.finish()
    job.start("fit", RankPlace())
    job.switch("train_epoch", 0)
    machine.sleep(3.0)
    job.finish()
    assert joules(job, "fit") == pytest.approx(1000, rel=0.01)
    assert joules(job, "fit (run 2)") == pytest.approx(300, rel=0.02)
    assert joules(job, "train_epoch 0") == pytest.approx(500, rel=0.02)
    assert joules(job, "train_epoch 0 (run 2)") == pytest.approx(300, rel=0.02)
    whole_j = job.whole_j("fit")
    assert whole_j is not None
    assert whole_j.point == pytest.approx(300, rel=0.02)
    assert job.total is not None
    assert job.total.point == pytest.approx(1300, rel=0.01)
    (kept,) = job.state()["segments"]
    assert kept["energy_j"]["point"] == pytest.approx(300, rel=0.02)


def test_attempts_at_a_run_are_itemised_and_one_that_failed_at_once_hides_nothing() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    job = JobEnergy(machine.record)
    job.start("train", RankPlace())
    job.finish(complete=False)
    job.start("train", RankPlace(), again=True)
    job.switch("train_epoch", 0)
    machine.sleep(2.0)
    job.finish(complete=False)
    job.start("train", RankPlace(), again=True)
    job.switch("train_epoch", 0)
    machine.sleep(5.0)
    job.finish()
    assert job.energies["train (attempt 1)"] is None
    assert joules(job, "train (attempt 2)") == pytest.approx(200, rel=0.02)
    assert joules(job, "train (attempt 3)") == pytest.approx(500, rel=0.01)
    assert joules(job, "train") == pytest.approx(700, rel=0.01)
    assert joules(job, "train_epoch 0 (attempt 2)") == pytest.approx(200, rel=0.02)
    assert joules(job, "train_epoch 0") == pytest.approx(500, rel=0.01)
    assert job.total is not None
    assert (job.total.low or 0) <= 700 <= (job.total.high or 0)
    assert [segment.attempt for segment in job.segments] == [1, 2, 3]


def test_a_resumed_run_goes_on_with_its_own_segments_of_this_process() -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    job = trained(machine)
    job.finish()
    state = job.state()
    job.start("fit", RankPlace())
    job.restore(state)
    job.switch("train_epoch", 2)
    machine.sleep(5.0)
    job.finish()
    assert joules(job, "fit") == pytest.approx(1500, rel=0.01)
    assert len(job.state()["segments"]) == 2


def test_a_job_does_not_count_its_own_segments_twice() -> None:
    job = trained(VirtualMachine())
    running = job.state()
    job.restore(running)
    job.finish()
    job.restore(job.state())
    job.restore(running)
    assert len(job.segments) == 1


def test_a_state_of_another_version_is_left_alone() -> None:
    job = JobEnergy(never_records)
    job.restore({})
    job.restore({"version": 99, "segments": "?"})
    assert job.segments == ()


def test_a_copy_of_a_running_job_records_nothing() -> None:
    machine = VirtualMachine()
    job = trained(machine)
    twin = copy.copy(job)
    assert job.is_running
    assert not twin.is_running
    assert twin.segments == ()
    twin.finish()
    job.finish()
    assert len(machine.recordings) == len(job.segments) == 1


def test_a_job_can_be_pickled_before_it_starts() -> None:
    job = pickle.loads(pickle.dumps(JobEnergy()))
    assert job.total is None


def test_an_interrupted_job_keeps_its_joules_and_says_so() -> None:
    job = trained(VirtualMachine([(600.0, 100.0)]))
    job.finish(complete=False)
    assert job.total is not None
    assert job.total.point == pytest.approx(1000, rel=0.01)
    assert job.findings[0].kind == "interrupted"
    assert not job.segments[0].complete


@pytest.mark.parametrize("ends", [False, True])
def test_the_share_of_one_host_is_never_the_total_of_the_job(ends: bool) -> None:
    machine = VirtualMachine([(600.0, 100.0)])
    job = JobEnergy(machine.record)
    job.start("fit", RankPlace(world_size=2, local_world_size=1))
    job.switch("train_epoch", 0)
    machine.sleep(5.0)
    if ends:
        job.finish(complete=False)
    assert job.total is None
    assert set(job.energies.values()) == {None}
    missing = next(finding for finding in job.findings if finding.kind == "hosts-missing")
    assert "500 J" in missing.observed
    resumed = JobEnergy(machine.record)
    resumed.restore(job.state())
    assert resumed.total is None
    job.finish(complete=False)


def test_a_driver_that_fails_leaves_no_number(caplog: pytest.LogCaptureFixture) -> None:
    job = JobEnergy(broken_driver)
    with caplog.at_level(logging.WARNING), job.shield("measure the energy of this job"):
        job.start("fit", RankPlace())
    job.give_up()
    assert job.is_lost
    assert job.total is None
    assert "the driver is gone" in job.findings[0].observed
    assert len(caplog.records) == 1


def test_the_file_is_json_with_every_number_as_an_estimate(tmp_path: Path) -> None:
    job = trained(VirtualMachine([(600.0, 100.0)]))
    job.write(tmp_path / "energy.json")
    assert json.loads((tmp_path / "energy.json").read_text())["segments"][0]["complete"] is False
    job.finish()
    job.write(tmp_path / "energy.json")
    document = json.loads((tmp_path / "energy.json").read_text())
    assert document["total_j"]["point"] == pytest.approx(1000, rel=0.01)
    assert document["energies_j"]["train_epoch 1"]["basis"] == "measured"
    assert list(tmp_path.iterdir()) == [tmp_path / "energy.json"]


def test_the_summary_shows_intervals_and_where_they_come_from() -> None:
    job = trained(VirtualMachine([(600.0, 100.0)]))
    job.finish()
    lines = job.summary().splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == [
        "fit", "train_epoch 0", "train_epoch 1", "total",
    ]  # fmt: skip
    assert "±" in lines[0]
    assert lines[4].startswith("measured: synthetic counter")


def test_the_summary_of_a_job_that_nobody_saw_has_no_zero() -> None:
    assert JobEnergy(never_records).summary() == "total  not seen"
