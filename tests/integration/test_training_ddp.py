"""Several real processes that train together on the CPU, started by PyTorch's own torchrun."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from profiler.ledger import read_ledger
from profiler.machine.carbon import carbon_factors
from profiler.values.estimate import Basis
from tests.integration.ranks import POWER_W, count_right, make_model, take_steps
from training.checkpoints.checkpoint import load_checkpoint
from training.distribution import ALONE
from training.recipe import flag_of, load_recipe
from training.run.loop import train
from training.run_folder import LAST

# Two ranks and what else runs share two cores: slow is not wrong.
pytestmark = pytest.mark.timeout(700)
ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
RANKS = str(Path(__file__).with_name("ranks.py"))
# Not in bf16, which a CPU without instructions for it imitates too slowly to wait for.
DIGITS = ("--recipe", "digits", "--dtype", "fp32", "--quiet")
TWO = ("--nproc-per-node", "2")


def start(*words, **variables):
    return subprocess.Popen(
        [*TORCHRUN, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, timeout_s=250):
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    return process.returncode, out, err


def two_nodes(*words):
    """Start torchrun twice on this machine, as two hosts of one rank each would."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    common = ("--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1")
    return [
        start(*common, "--master-port", port, "--node-rank", str(node), *words) for node in range(2)
    ]


def answers(folder):
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


def assert_joules_of_one_machine(folder, seconds):
    """The ledger holds what the one package of the machine drew."""
    energy_j = read_ledger(folder).energy_j
    assert energy_j.basis is Basis.MEASURED
    assert energy_j.point == pytest.approx(POWER_W * seconds, rel=0.03)


def wait_for_epoch(folder, epoch, timeout_s=250):
    """Wait until the ledger notes an epoch."""
    deadline_s = time.monotonic() + timeout_s
    path = folder / "ledger.jsonl"
    while time.monotonic() < deadline_s:
        if path.is_file() and f'"epoch": {epoch}, "time_s"' in path.read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f"no epoch {epoch} in {timeout_s} s")


@pytest.fixture(scope="module")
def agreed(tmp_path_factory):
    """What two ranks came to that used every method of their group."""
    folder = tmp_path_factory.mktemp("agreed")
    code, _, err = finish(start(*TWO, RANKS, "agree", str(folder)))
    assert code == 0, err
    return folder, answers(folder)


def test_steps_of_two_ranks_equal_those_of_one_process(agreed):
    _, ranks = agreed
    expected = take_steps(ALONE)
    for rank in ranks:
        for own, alone in zip(rank["steps"], expected, strict=True):
            assert own == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert expected[0] != pytest.approx(expected[1], rel=1e-4, abs=1e-6)


def test_an_evaluation_that_ranks_share_counts_every_image_once(agreed):
    _, ranks = agreed
    assert [rank["right"] for rank in ranks] == [count_right(ALONE)] * 2


def test_ranks_agree_on_what_one_of_them_knows(agreed):
    _, ranks = agreed
    for rank in ranks:
        assert rank["gathered"] == [{"rank": 0}, {"rank": 1}]
        assert rank["first"] == "from 0"
        assert rank["any"] == [True, False]
        assert rank["mean"] == [1.0, 1.0]


def test_two_ranks_of_one_machine_count_its_joules_once(agreed):
    folder, ranks = agreed
    assert ranks[0]["hosts"] == [0, None]
    assert sorted(path.name for path in folder.glob("ledger*")) == ["ledger.jsonl"]
    assert_joules_of_one_machine(folder, ranks[0]["seconds"])


@pytest.mark.slow
def test_two_nodes_on_one_machine_count_its_joules_once(tmp_path):
    for code, _, err in map(finish, two_nodes(RANKS, "agree", str(tmp_path))):
        assert code == 0, err
    ranks = answers(tmp_path)
    assert [rank["findings"] for rank in ranks] == [["one-machine"]] * 2
    assert [rank["hosts"] for rank in ranks] == [[0, None]] * 2
    assert sorted(path.name for path in tmp_path.glob("ledger*")) == ["ledger.jsonl"]
    assert_joules_of_one_machine(tmp_path, ranks[0]["seconds"])


@pytest.mark.parametrize("lost", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_rank_is_named_and_what_was_spent_is_kept(tmp_path, lost):
    process = start(*TWO, RANKS, "train", str(tmp_path), *DIGITS, "--epochs", "500")
    run = tmp_path / "run"
    wait_for_epoch(run, 1)
    os.kill(int((tmp_path / f"rank-{lost}.pid").read_text()), signal.SIGKILL)
    killed_s = time.monotonic()
    code, _, err = finish(process)
    assert time.monotonic() - killed_s < 30
    assert code != 0
    told = [line for line in err.splitlines() if line.startswith(f"error: rank {lost} of 2")]
    assert len(told) == 1, err
    assert "was lost at epoch " in told[0]
    ledger = read_ledger(run)
    (segment,) = ledger.segments
    assert segment.ended == ("failed" if lost else "killed")
    assert ledger.energy_j.point == pytest.approx(POWER_W * segment.duration_s, rel=0.03)
    assert load_checkpoint(run / LAST).info.epochs_done >= 1


@pytest.mark.slow
@pytest.mark.parametrize("machines", [1, 2])
def test_a_training_of_two_ranks_counts_every_machine_and_every_image_once(tmp_path, machines):
    """With two machines each has a disk of its own, and the first one's folder ends up whole."""
    words = (*TWO, RANKS, "train", str(tmp_path), *DIGITS, "--json")
    code, out, err = finish(start(*words, RANKS_APART=str(machines - 1)))
    assert code == 0, err
    (outcome,) = json.loads(out)["runs"]
    assert outcome["test_accuracy"]["point"] > 0.97

    run = tmp_path / ("run" if machines == 1 else "host-0/run")
    ledger = read_ledger(run)
    assert [segment.ended for segment in ledger.segments] == ["finished"] * machines
    assert ledger.energy_j.basis is Basis.MEASURED
    drawn_j = POWER_W * sum(segment.duration_s for segment in ledger.segments)
    assert ledger.energy_j.point == pytest.approx(drawn_j, rel=0.03)
    recipe = load_recipe("digits")
    steps = 1347 // recipe.batch_size
    assert ledger.image_count == recipe.epochs * steps * recipe.batch_size


@pytest.mark.slow
def test_a_training_of_two_ranks_ends_with_the_weights_of_one_process(tmp_path):
    changes = {"model": f"{RANKS}:make_model", "epochs": 1, "dtype": "fp32", "batch_size": 65}
    flags = [word for name, value in changes.items() for word in (flag_of(name), str(value))]
    process = start(*TWO, RANKS, "train", str(tmp_path), *DIGITS, *flags)
    recipe = replace(load_recipe("digits"), **changes)
    train(recipe, tmp_path / "alone", device="cpu", threads=1, carbon=carbon_factors())
    code, _, err = finish(process)
    assert code == 0, err
    shared, alone = (load_checkpoint(tmp_path / name / LAST).model for name in ("run", "alone"))
    torch.manual_seed(recipe.seed)
    untrained = make_model(10).state_dict()
    for name, weights in alone.items():
        torch.testing.assert_close(shared[name], weights, rtol=1e-3, atol=1e-4)
        assert (weights - untrained[name]).abs().max() > 1e-2


@pytest.mark.slow
def test_an_error_that_all_ranks_meet_is_printed_once(tmp_path):
    code, _, err = finish(start(*TWO, RANKS, "train", str(tmp_path), "--recipe", "none-such"))
    assert code != 0
    assert err.count("error: there is no recipe 'none-such'") == 1


@pytest.mark.slow
def test_an_error_in_the_model_is_told_once_and_as_when_alone(tmp_path):
    words = ("train", str(tmp_path), *DIGITS, "--model", f"{RANKS}:make_raising")
    code, _, err = finish(start(*TWO, RANKS, *words))
    assert code != 0
    assert err.count("error: ") == 1, err
    assert "error: the model raised ValueError: no such layer\nhint: " in err


@pytest.mark.slow
def test_an_error_of_one_rank_is_told_by_the_others(tmp_path):
    code, _, err = finish(start(*TWO, RANKS, "fail", str(tmp_path)))
    assert code != 0
    assert "ValueError: rank 1 has no room" in err
    assert "rank 1 of 2 stopped at epoch 4: ValueError: rank 1 has no room" in err
    assert os.listdir(tmp_path) == []
