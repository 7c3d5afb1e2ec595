"""A run that was stopped goes on as if nobody had stopped it, and says why where it cannot."""

import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from profiler.errors import CheckpointError, UsageError
from profiler.ledger import Phase, read_ledger
from profiler.machine.carbon import carbon_factors
from tests.bench import train_kill
from training.checkpoints.checkpoint import load_checkpoint, load_model
from training.progress.view import SILENT
from training.recipe import prolonged
from training.run.loop import train
from training.run_folder import BEST, LAST

EPOCHS = 3


class Interrupting:
    """A view that presses Ctrl-C when a share of an epoch is done."""

    def __init__(self, epoch, share):
        self.epoch_wanted, self.share = epoch, share
        self.pressed = False

    def __getattr__(self, name):
        return getattr(SILENT, name)

    def step(self, epoch, share):
        if (epoch, share) >= (self.epoch_wanted, self.share) and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, progress):
        self.step(progress.point.epoch, 1.0)


class Noting:
    """A view that keeps what it is to note."""

    def __init__(self):
        self.notes = []

    def __getattr__(self, name):
        return getattr(SILENT, name)

    def note(self, text):
        self.notes.append(text)


def run(folder: Path, recipe, *, resume=False, view=SILENT):
    return train(
        recipe, folder, device="cpu", threads=1, resume=resume, carbon=carbon_factors(), view=view
    )


def recipe(**changes):
    return replace(train_kill.small_recipe(EPOCHS), **changes)


def assert_equal_states(one: Path, two: Path):
    """Weights, averages, moments, curve and random numbers: every bit that decides what follows."""
    mine, theirs = load_checkpoint(one / LAST), load_checkpoint(two / LAST)
    for part in ("model", "ema"):
        a, b = getattr(mine, part), getattr(theirs, part)
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name], b[name]), name
    for number, moments in mine.optimizer.items():
        for name, moment in moments.items():
            assert torch.equal(moment, theirs.optimizer[number][name])
    assert torch.equal(mine.rng["cpu"], theirs.rng["cpu"])
    a, b = mine.info, theirs.info
    assert (a.epochs_done, a.step, a.best_accuracy) == (b.epochs_done, b.step, b.best_accuracy)
    assert a.best_epoch == b.best_epoch
    for point, other in zip(a.curve, b.curve, strict=True):
        measured = {"energy_j": None, "duration_s": 0.0, "images_per_s": None}
        assert replace(point, **measured) == replace(other, **measured)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Folders of runs that nobody stopped, by dtype."""
    root = tmp_path_factory.mktemp("runs")
    for dtype in ("fp32", "bf16"):
        run(root / dtype, recipe(dtype=dtype))
    return {"fp32": root / "fp32", "bf16": root / "bf16"}


@pytest.mark.parametrize(
    ("dtype", "share"),
    [("fp32", 1.0), ("bf16", 1.0), ("bf16", 0.5)],
    ids=["fp32-between-epochs", "bf16-between-epochs", "bf16-inside-an-epoch"],
)
def test_an_interrupted_run_ends_with_the_bits_of_an_unbroken_one(tmp_path, unbroken, dtype, share):
    folder = tmp_path / "run"
    wanted = recipe(dtype=dtype)
    view = Interrupting(2 if share < 1 else 1, share)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(folder, wanted, view=view)
    assert view.pressed
    assert not load_checkpoint(folder / LAST).info.is_finished
    outcome = run(folder, wanted, resume=True)
    assert outcome.epochs_done == EPOCHS
    assert [segment.ended for segment in outcome.ledger.segments] == ["interrupted", "finished"]
    assert_equal_states(folder, unbroken[dtype])
    weights = load_model(folder / BEST)[0].state_dict()
    for name, tensor in load_model(unbroken[dtype] / BEST)[0].state_dict().items():
        assert torch.equal(weights[name], tensor)


def test_a_run_killed_twice_ends_with_the_bits_of_an_unbroken_one(tmp_path, unbroken):
    folder = tmp_path / "run"
    for in_training in (False, True):
        child = train_kill.start(folder, EPOCHS)
        seen = train_kill.kill(child, folder, after_s=0.0, in_training=in_training)
        assert seen is not None
        assert seen.problem is None
        assert bool(seen.epochs_done) == in_training
    train_kill.train_here(folder, EPOCHS, resume=True)
    assert_equal_states(folder, unbroken["bf16"])


def test_a_changed_recipe_is_refused_by_field_and_both_values(unbroken):
    before = (unbroken["fp32"] / LAST).read_bytes()
    with pytest.raises(UsageError, match=r"epochs was 3 and is now 2.*seed was 0 and is now 1"):
        run(unbroken["fp32"], recipe(dtype="fp32", epochs=2, seed=1), resume=True)
    assert (unbroken["fp32"] / LAST).read_bytes() == before


def test_a_finished_run_is_not_trained_again(unbroken):
    folder = unbroken["bf16"]
    before = (folder / LAST).read_bytes()
    with suppress(UsageError):
        run(folder, recipe(dtype="bf16"), resume=True)
    assert (folder / LAST).read_bytes() == before
    trained = [entry for entry in read_ledger(folder).entries if entry.phase == Phase.TRAIN]
    assert [(entry.segment, entry.epoch) for entry in trained] == [(0, 1), (0, 2), (0, 3)]


def test_a_damaged_checkpoint_is_not_gone_on_with(tmp_path, unbroken):
    folder = tmp_path / "run"
    folder.mkdir()
    for file in unbroken["fp32"].iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content[:-1] if file.name == LAST else content)
    with pytest.raises(CheckpointError, match="damaged"):
        run(folder, recipe(dtype="fp32"), resume=True)


def test_a_finished_run_trains_further_as_one_that_was_to_restart_there(tmp_path):
    """The schedule begins anew, all else goes on: the bits are those of one run of both parts."""
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    short = recipe(dtype="fp32", epochs=1)
    wanted = prolonged(short, 3)
    assert wanted == replace(short, epochs=3, restarts=(1,))
    run(whole, wanted)
    run(grown, short)
    view = Noting()
    outcome = run(grown, wanted, resume=True, view=view)
    assert "finished after 1 epoch; 2 more follow from its last weights" in view.notes[0]
    assert (outcome.epochs_done, outcome.recipe) == (3, wanted)
    assert [segment.ended for segment in outcome.ledger.segments] == ["finished", "finished"]
    assert_equal_states(whole, grown)
    with pytest.raises(UsageError, match="seed was 0 and is now 1"):
        run(grown, replace(prolonged(wanted, 4), seed=1), resume=True)
