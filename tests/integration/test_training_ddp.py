"""Several real processes that train together on the CPU.

Some are started by PyTorch's own torchrun. The others are forked from a process that has imported
torch already (`tests.integration.forked_ranks`), which tells the code under test the same.
"""

from __future__ import annotations

import json
import os
import signal
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
from tests.integration.forked_ranks import Ranks
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
SMALL = (*DIGITS, "--image-size", "8", "--crop-padding", "1")
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
    """What two ranks came to that used every method of their group, and what they said at the end.

    The second one then meets an error of its own.
    """
    folder = tmp_path_factory.mktemp("agreed")
    code, _, err = finish(start(*TWO, RANKS, "agree-then-fail", str(folder)))
    assert code != 0
    assert (folder / "rank-0.json").is_file(), err
    return folder, answers(folder), err


def test_steps_of_two_ranks_equal_those_of_one_process(agreed):
    _, ranks, _ = agreed
    expected = take_steps(ALONE)
    for rank in ranks:
        for own, alone in zip(rank["steps"], expected, strict=True):
            assert own == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert expected[0] != pytest.approx(expected[1], rel=1e-4, abs=1e-6)


def test_an_evaluation_that_ranks_share_counts_every_image_once(agreed):
    _, ranks, _ = agreed
    assert [rank["right"] for rank in ranks] == [count_right(ALONE)] * 2


def test_ranks_agree_on_what_one_of_them_knows(agreed):
    _, ranks, _ = agreed
    for rank in ranks:
        assert rank["gathered"] == [{"rank": 0}, {"rank": 1}]
        assert rank["first"] == "from 0"
        assert rank["any"] == [True, False]
        assert rank["mean"] == [1.0, 1.0]


def test_two_ranks_of_one_machine_count_its_joules_once(agreed):
    folder, ranks, _ = agreed
    assert ranks[0]["hosts"] == [0, None]
    assert sorted(path.name for path in folder.glob("ledger*")) == ["ledger.jsonl"]
    assert_joules_of_one_machine(folder, ranks[0]["seconds"])


def test_two_nodes_on_one_machine_count_its_joules_once(tmp_path):
    with Ranks("agree", str(tmp_path), LOCAL_WORLD_SIZE="1") as pair:
        codes, err = pair.finish()
    assert codes == [0, 0], err
    ranks = answers(tmp_path)
    assert [rank["findings"] for rank in ranks] == [["one-machine"]] * 2
    assert [rank["hosts"] for rank in ranks] == [[0, None]] * 2
    assert sorted(path.name for path in tmp_path.glob("ledger*")) == ["ledger.jsonl"]
    assert_joules_of_one_machine(tmp_path, ranks[0]["seconds"])


def test_a_killed_rank_is_named_and_torchrun_ends_the_others(tmp_path):
    process = start(*TWO, RANKS, "train", str(tmp_path), *SMALL, "--epochs", "5000")
    wait_for_epoch(tmp_path / "run", 1)
    killed_s = kill(tmp_path, 1)
    code, _, err = finish(process)
    assert code != 0
    assert_names_the_lost(tmp_path, 1, err, killed_s)


def test_a_killed_first_rank_is_named_by_the_other(tmp_path):
    with Ranks("train", str(tmp_path), *SMALL, "--epochs", "5000") as pair:
        wait_for_epoch(tmp_path / "run", 1)
        killed_s = kill(tmp_path, 0)
        codes, err = pair.finish()
    assert codes[0] == -signal.SIGKILL
    assert codes[1] != 0
    assert_names_the_lost(tmp_path, 0, err, killed_s)


def kill(folder, rank):
    os.kill(int((folder / f"rank-{rank}.pid").read_text()), signal.SIGKILL)
    return time.monotonic()


def assert_names_the_lost(folder, lost, err, killed_s):
    """One sentence within half a minute, a ledger of all that was spent, and a checkpoint."""
    run = folder / "run"
    assert time.monotonic() - killed_s < 30
    told = [line for line in err.splitlines() if line.startswith(f"error: rank {lost} of 2")]
    assert len(told) == 1, err
    assert "was lost at epoch " in told[0]
    ledger = read_ledger(run)
    (segment,) = ledger.segments
    assert segment.ended == ("failed" if lost else "killed")
    assert ledger.energy_j.point == pytest.approx(POWER_W * segment.duration_s, rel=0.03)
    assert load_checkpoint(run / LAST).info.epochs_done >= 1


def assert_everything_is_counted_once(run, recipe, machines):
    ledger = read_ledger(run)
    assert [segment.ended for segment in ledger.segments] == ["finished"] * machines
    assert ledger.energy_j.basis is Basis.MEASURED
    drawn_j = POWER_W * sum(segment.duration_s for segment in ledger.segments)
    assert ledger.energy_j.point == pytest.approx(drawn_j, rel=0.03)
    steps = 1347 // recipe.batch_size
    assert ledger.image_count == recipe.epochs * steps * recipe.batch_size


def test_two_machines_with_disks_of_their_own_leave_one_whole_folder(tmp_path):
    words = ("train", str(tmp_path), *SMALL, "--epochs", "4", "--json")
    with Ranks(*words, RANKS_APART="1", LOCAL_WORLD_SIZE="1") as pair:
        codes, err = pair.finish()
    assert codes == [0, 0], err
    (outcome,) = json.loads(pair.out(0))["runs"]
    assert outcome["test_accuracy"]["point"] > 0.7  # chance is 0.1
    recipe = replace(load_recipe("digits"), epochs=4)
    assert_everything_is_counted_once(tmp_path / "host-0/run", recipe, machines=2)


def test_a_training_of_two_ranks_ends_with_the_weights_of_one_process(tmp_path):
    changes = {"model": f"{RANKS}:make_model", "epochs": 1, "dtype": "fp32", "batch_size": 65}
    flags = [word for name, value in changes.items() for word in (flag_of(name), str(value))]
    recipe = replace(load_recipe("digits"), **changes)
    with Ranks("train", str(tmp_path), *DIGITS, *flags) as pair:
        codes, err = pair.finish()
    assert codes == [0, 0], err
    assert_everything_is_counted_once(tmp_path / "run", recipe, machines=1)
    train(recipe, tmp_path / "alone", device="cpu", threads=1, carbon=carbon_factors())
    shared, alone = (load_checkpoint(tmp_path / name / LAST).model for name in ("run", "alone"))
    torch.manual_seed(recipe.seed)
    untrained = make_model(10).state_dict()
    for name, weights in alone.items():
        torch.testing.assert_close(shared[name], weights, rtol=1e-3, atol=1e-4)
        assert (weights - untrained[name]).abs().max() > 1e-2


def test_an_error_that_all_ranks_meet_is_printed_once(tmp_path):
    with Ranks("train", str(tmp_path), "--recipe", "none-such") as pair:
        codes, err = pair.finish()
    assert 0 not in codes
    assert err.count("error: there is no recipe 'none-such'") == 1


def test_an_error_in_the_model_is_told_once_and_as_when_alone(tmp_path):
    words = ("train", str(tmp_path), *SMALL, "--model", f"{RANKS}:make_raising")
    with Ranks(*words) as pair:
        codes, err = pair.finish()
    assert 0 not in codes
    assert err.count("error: ") == 1, err
    assert "error: the model raised ValueError: no such layer\nhint: " in err


def test_an_error_of_one_rank_is_told_by_the_others(agreed):
    err = agreed[2]
    assert "ValueError: rank 1 has no room" in err
    assert "rank 1 of 2 stopped at epoch 4: ValueError: rank 1 has no room" in err
