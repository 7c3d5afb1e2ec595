import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import DeviceError, TrainingError, UsageError
from profiler.machine.identity import machine_id, pid_space
from tests.virtual.nvml import Scenario, VirtualGpu, install
from tests.virtual.power import constant
from training.distribution import ALONE, Group, join, joined
from training.distribution.exchange import check_places, exchange_places, own_place
from training.distribution.gather_ledgers import own_files, put_files
from training.distribution.heartbeat import GO_ON, Pulse
from training.distribution.joining import VARIABLES
from training.distribution.notice_board import Board
from training.distribution.sensor_readers import (
    Place,
    Reach,
    gpus_in_use,
    host_findings,
    neighbours,
    open_sensors,
    ranks_apart,
    reach_of,
    reading_ranks,
    shared_gpus,
)
from training.distribution.shards import shard, step_shard

ROOT = Path(__file__).resolve().parents[4]
A, B, C = "GPU-aaaaaaaa-1", "GPU-bbbbbbbb-2", "GPU-cccccccc-3"


class DictStore:
    """The store of several ranks, in one process."""

    def __init__(self):
        self.values = {}
        self.is_gone = False

    def _ask(self):
        if self.is_gone:
            raise RuntimeError("connection reset by peer")

    def set(self, key, value):
        self._ask()
        self.values[key] = value.encode()

    def get(self, key):
        self._ask()
        return self.values[key]

    def check(self, keys):
        self._ask()
        return all(key in self.values for key in keys)

    def compare_set(self, key, expected, desired):
        self._ask()
        return self.values.setdefault(key, desired.encode())


def pulses(count, *, roll_call_s=0.1, **keywords):
    store = DictStore()
    boards = [Board(store, rank, count) for rank in range(count)]
    return store, [Pulse(board, roll_call_s=roll_call_s, **keywords) for board in boards]


@contextmanager
def beating(pulse):
    pulse.start()
    try:
        yield
    finally:
        pulse.stop()


# --- who works on what


@given(st.integers(0, 1000), st.integers(1, 17))
def test_the_shards_of_all_ranks_are_every_item_once_and_in_order(count, world_size):
    parts = [range(count)[shard(count, rank, world_size)] for rank in range(world_size)]
    assert [item for part in parts for item in part] == list(range(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**31))
def test_the_average_of_weighted_means_is_the_mean_of_the_batch(count, world_size, seed):
    losses = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    parts = [step_shard(count, rank, world_size) for rank in range(world_size)]
    averaged = sum(weight * losses[part].mean() for part, weight in parts) / world_size
    assert averaged.item() == pytest.approx(losses.mean().item(), rel=1e-12)


def test_alone_every_method_is_the_identity():
    model, tensor, value = torch.nn.Linear(2, 2), torch.tensor([1.0, 2.0]), object()
    before = [parameter.clone() for parameter in model.parameters()]
    assert ALONE.wrap(model) is model
    assert ALONE.sum(tensor) is tensor
    assert ALONE.gather(value) == (value,)
    assert ALONE.from_first(value) is value
    assert (ALONE.any(True), ALONE.any(False)) == (True, False)
    assert ALONE.shard(7) == slice(0, 7)
    assert ALONE.step_shard(7) == (slice(0, 7), 1.0)
    assert ALONE.sensors is None
    assert ALONE.is_first
    ALONE.copy_from_first(model)
    assert all(map(torch.equal, before, model.parameters()))


def test_alone_the_guard_lets_every_error_through_as_it_is():
    error = RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer")
    with pytest.raises(RuntimeError) as caught, ALONE.guard(3):
        raise error
    assert caught.value is error


# --- joining


def test_a_process_that_torchrun_did_not_start_is_alone(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert join("cpu") is ALONE
    monkeypatch.setenv("WORLD_SIZE", "8")  # some clusters set this one for every process
    with joined("cpu") as group:
        assert group is ALONE


def test_the_only_process_of_torchrun_is_alone(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "1")
    assert join("cpu") is ALONE


def test_a_variable_that_is_no_number_is_named(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UsageError, match="WORLD_SIZE is 'two', not a number"):
        join("cpu")


def test_ranks_that_share_a_gpu_are_refused():
    places = [Place(machine="boot 1", device="cuda:0", gpu=gpu) for gpu in (A, B, A)]
    with pytest.raises(DeviceError, match=f"ranks 0, 2 share the GPU {A}"):
        check_places(places)
    check_places(places[:2])


def test_ranks_on_different_kinds_of_device_are_refused():
    places = [Place(machine="boot 1", device="cuda:0", gpu=A), Place(machine="boot 2")]
    with pytest.raises(DeviceError, match="rank 0 on cuda, rank 1 on cpu"):
        check_places(places)


def test_one_named_gpu_for_several_ranks_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UsageError, match="--device cuda:1 names one GPU for 4 ranks"):
        own_place("cuda:1")


def test_a_rank_that_fails_while_joining_is_quoted_by_the_others():
    _, (own, other) = pulses(2)
    other.say_end("there is no CUDA device")
    with pytest.raises(TrainingError, match="rank 1 of 2 stopped: there is no CUDA device"):
        exchange_places(own, Place(machine="boot 1"))


def test_places_are_exchanged_as_they_are():
    _, (own, other) = pulses(2)
    places = [Place(machine="boot 1", gpu=A, pid=1, pid_space=2), Place(machine="boot 2")]
    other.board.write("place", json.dumps(asdict(places[1])))
    assert exchange_places(own, places[0]) == places


# --- which rank reads which sensors


def test_two_nodes_on_one_machine_are_read_once_and_a_finding_says_so():
    places = [Place(machine="boot 1", node="0"), Place(machine="boot 1", node="1")]
    reaches = [Reach(), Reach()]
    assert reading_ranks(places, reaches) == (0,)
    (finding,) = host_findings(places, reaches)
    assert finding.kind == "one-machine"
    assert "2 nodes" in finding.observed


def test_each_machine_is_read_by_its_first_rank():
    places = [Place(machine=machine) for machine in ("boot 1", "boot 1", "boot 2", "boot 2")]
    reaches = [Reach()] * 4
    assert reading_ranks(places, reaches) == (0, 2)
    assert host_findings(places, reaches) == ()


def test_the_leader_reads_the_gpus_of_all_ranks_of_its_machine_by_uuid():
    places = [Place(machine="boot 1", gpu=B), Place(machine="boot 1", gpu=A)]
    assert gpus_in_use(places, "boot 1") == (B, A)
    assert reading_ranks(places, [Reach(gpus=(B, A)), Reach()]) == (0,)


def test_a_gpu_that_the_leader_cannot_see_is_read_by_its_own_rank_and_once():
    places = [Place(machine="boot 1", gpu=gpu) for gpu in (A, B, C)]
    reaches = [Reach(gpus=(A,)), Reach(gpus=(B,)), Reach(gpus=(C,))]
    assert ranks_apart(places, reaches) == (1, 2)
    assert reading_ranks(places, reaches) == (0, 1, 2)
    assert [finding.kind for finding in host_findings(places, reaches)] == ["gpu-apart"] * 2


def test_a_gpu_that_nobody_can_read_is_a_finding_not_a_zero():
    places = [Place(machine="boot 1", gpu=A), Place(machine="boot 1", gpu=B)]
    reaches = [Reach(gpus=(A,)), Reach()]
    assert reading_ranks(places, reaches) == (0,)
    (finding,) = host_findings(places, reaches)
    assert finding.kind == "gpu-unread"
    assert B in finding.observed
    assert "rank 1" in finding.observed


def test_a_sensor_of_the_whole_machine_leaves_nothing_for_other_ranks():
    places = [Place(machine="boot 1", gpu=A), Place(machine="boot 1", gpu=B)]
    reaches = [Reach(gpus=(A,), has_whole_machine=True), Reach(gpus=(B,))]
    assert reading_ranks(places, reaches) == (0,)


def test_the_same_gpu_number_on_two_machines_is_two_gpus():
    places = [Place(machine="boot 1", gpu=A), Place(machine="boot 2", gpu=A)]
    assert shared_gpus(places) == ()
    assert gpus_in_use(places, "boot 2") == (A,)
    assert reading_ranks(places, [Reach(gpus=(A,)), Reach(gpus=(A,))]) == (0, 1)


def test_ranks_on_one_gpu_are_told_apart_from_ranks_on_two():
    places = [Place(machine="boot 1", gpu=gpu) for gpu in (A, B, A)]
    assert shared_gpus(places) == ((A, (0, 2)),)


def test_a_gpu_that_no_rank_computes_on_is_not_read():
    with install(Scenario(gpus=(VirtualGpu(uuid=A),))):
        opened = open_sensors(gpus_in_use([Place(machine="boot 1")], "boot 1"))
    assert reach_of(opened).gpus == ()
    assert all(meter.name != "nvml" for meter, _ in opened.meters)


def test_open_sensors_reads_the_named_gpus_in_their_order_and_no_other(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # what this rank alone may compute on
    gpus = tuple(VirtualGpu(script=constant(90), uuid=uuid) for uuid in (A, B, C))
    with install(Scenario(gpus=gpus)):
        opened = open_sensors((C, A), gpus_alone=True)
    channels = [channel for _, own in opened.meters for channel in own]
    energy = {c.device: c.identity for c in channels if c.kind.value == "energy"}
    assert energy == {"gpu:0": C, "gpu:1": A}
    assert set(reach_of(opened).gpus) == {A, C}


def test_a_gpu_hidden_from_this_rank_is_not_within_its_reach():
    with install(Scenario(gpus=(VirtualGpu(uuid=A),))):
        opened = open_sensors((B,), gpus_alone=True)
    reach = reach_of(opened)
    assert reach.gpus == ()
    assert [finding.kind for finding in reach.findings] == ["gpu-hidden"]
    assert reach.findings[0] in host_findings([Place(machine="boot 1")], [reach])


def test_the_machine_is_told_by_its_boot_and_else_by_its_name(tmp_path):
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("139ef870-5d43\n", encoding="ascii")
    assert machine_id("pod-1", boot_id) == machine_id("pod-2", boot_id) == "boot 139ef870-5d43"
    assert machine_id("pod-1", tmp_path / "none") == "host pod-1"


# --- ledgers of other hosts


def test_ledgers_of_another_host_are_added_to_a_folder_of_its_own(tmp_path):
    far, near = tmp_path / "far", tmp_path / "near"
    far.mkdir()
    near.mkdir()
    (far / "ledger-host1.jsonl").write_bytes(b'{"a": 1}\n{"b": 2}\n')
    (far / "journal-1-host1.jsonl").write_bytes(b"{}\n")
    (far / "ledger-host11.jsonl").write_bytes(b"of yet another host\n")
    (near / "ledger.jsonl").write_bytes(b"own\n")
    (near / "ledger-host1.jsonl").write_bytes(b'{"a": 1}\n')  # of a segment before
    put_files(near, own_files(far, 1))
    assert {path.name: path.read_bytes() for path in near.iterdir()} == {
        "ledger.jsonl": b"own\n",
        "ledger-host1.jsonl": b'{"a": 1}\n{"b": 2}\n',
        "journal-1-host1.jsonl": b"{}\n",
    }


def test_in_a_shared_folder_nothing_is_written(tmp_path):
    path = tmp_path / "ledger-host1.jsonl"
    path.write_bytes(b"{}\n")
    before = (path.stat().st_ino, path.stat().st_mtime_ns)
    put_files(tmp_path, own_files(tmp_path, 1))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [path]


# --- lost ranks


def test_a_rank_without_a_pulse_is_named_with_the_epoch():
    _, (own, *_) = pulses(2)
    with pytest.raises(TrainingError) as caught, Group(world_size=2, pulse=own).guard(3):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [::1]:4711")
    assert caught.value.message == "rank 1 of 2 was lost at epoch 3"
    assert "--resume" in caught.value.hint
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_rank_that_still_shows_its_pulse_is_not_called_lost():
    _, (own, alive, *_) = pulses(4, roll_call_s=2.0)
    with beating(alive):
        assert own.explain(own.roll_call()) == "ranks 2, 3 of 4 were lost"


def test_the_death_of_a_process_of_this_machine_is_seen_without_waiting():
    _, (own, *_) = pulses(3, roll_call_s=60.0)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    own.neighbours = {1: child.pid, 2: child.pid}
    assert own.explain(own.roll_call()) == "ranks 1, 2 of 3 were lost"


def test_only_processes_of_the_same_list_are_looked_up():
    places = [
        Place(machine="boot 1", pid=10, pid_space=1),
        Place(machine="boot 1", pid=11, pid_space=1),
        Place(machine="boot 1", pid=12, pid_space=2),
        Place(machine="boot 2", pid=13, pid_space=1),
        Place(machine="boot 1", pid=14),
    ]
    assert neighbours(places, 0) == {1: 11}
    assert neighbours(places, 4) == {}
    assert pid_space() is not None


def test_a_rank_that_failed_by_itself_is_quoted():
    _, (own, other) = pulses(2)
    group = Group(rank=1, world_size=2, pulse=other)
    with pytest.raises(ValueError, match="no room"), group.guard(2):
        raise ValueError("no room\nand more")
    own.epoch = 2
    assert own.explain(own.roll_call()) == "rank 1 of 2 stopped at epoch 2: ValueError: no room"


def test_the_signal_that_follows_a_loss_is_told_as_the_loss():
    _, (own, _) = pulses(2)
    with (
        pytest.raises(TrainingError, match="rank 1 of 2 was lost at epoch 2"),
        Group(world_size=2, pulse=own).guard(2),
    ):
        raise SystemExit(143)


def test_the_signal_that_follows_anothers_error_is_told_as_that_error():
    _, (own, other) = pulses(2, roll_call_s=0.5)
    other.say_end("ValueError: no room")
    with (
        pytest.raises(TrainingError, match="rank 1 of 2 stopped at epoch 2: ValueError: no room"),
        Group(world_size=2, pulse=own).guard(2),
    ):
        raise SystemExit(143)


def test_the_signal_that_all_ranks_get_stays_one():
    _, (own, other) = pulses(2, roll_call_s=0.5)
    other.say_end("it was interrupted")
    with pytest.raises(SystemExit), Group(world_size=2, pulse=own).guard(2):
        raise SystemExit(143)


def test_no_signal_disturbs_the_search_for_the_lost_rank():
    _, (own, _) = pulses(2, roll_call_s=1.0)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(TrainingError), Group(world_size=2, pulse=own).guard():
        raise RuntimeError("NCCL error")
    timer.join()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_interrupted_rank_says_so():
    _, (own, other) = pulses(2, roll_call_s=2.0)
    group = Group(rank=1, world_size=2, pulse=other)
    with beating(own), pytest.raises(KeyboardInterrupt), group.guard():
        raise KeyboardInterrupt
    assert own.explain(own.roll_call()) == "rank 1 of 2 stopped: it was interrupted"


def test_an_error_of_the_model_stays_what_it_is():
    _, (own, _) = pulses(2)
    with pytest.raises(RuntimeError, match="shapes"), Group(world_size=2, pulse=own).guard():
        raise RuntimeError("shapes do not fit")


def test_all_that_are_left_tell_the_same_story_and_one_prints_it():
    _, (first, _, third) = pulses(3, roll_call_s=0.5)
    first.epoch = third.epoch = 5
    told = first.explain(first.roll_call())
    start_s = time.monotonic()
    assert third.explain(third.roll_call()) == told
    assert time.monotonic() - start_s < 0.4  # it did not wait again
    error = TrainingError(told)
    speakers = [Group(rank=r, pulse=p).may_speak(error) for r, p in ((2, third), (0, first))]
    assert speakers == [True, False]


def test_a_rank_whose_work_is_done_is_not_lost():
    _, (own, other) = pulses(2)
    other.say_end("")
    assert own.explain(own.roll_call()) == "the connection between the 2 ranks broke"


def test_when_the_store_is_gone_no_rank_is_accused():
    store, (own, _) = pulses(2)
    store.is_gone = True
    assert (
        own.explain(own.roll_call()) == "the host that holds the 2 ranks together cannot be reached"
    )
    assert Group(world_size=2, pulse=own).may_speak(TrainingError("anything"))


WAITS_FOR_EVER = """
import sys, time
from tests.unit.training.distribution.test_distribution import pulses
_, (own, other) = pulses(2, patience_s=0.5, grace_s=0.2)
other.say_end("") if "done" in sys.argv else None
own.epoch = 7
own.start()
time.sleep(2.5)
"""


@pytest.mark.parametrize(
    ("word", "code", "text"),
    [("lost", 1, f"error: rank 1 of 2 was lost at epoch 7\nhint: {GO_ON}\n"), ("done", 0, "")],
)
def test_a_main_thread_that_waits_for_a_lost_rank_is_ended(word, code, text):
    done = subprocess.run(
        [sys.executable, "-c", WAITS_FOR_EVER, word],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, text)
