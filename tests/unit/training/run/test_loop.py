from __future__ import annotations

import json
import math
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from profiler.errors import CheckpointError, TrainingError, UsageError
from profiler.ledger import Phase, read_ledger
from profiler.machine.carbon import carbon_factors
from profiler.machine.codecarbon_tracker import CodeCarbonOptions, CodeCarbonTracker
from profiler.meters import open_meter
from profiler.meters.synthetic import SyntheticMeter
from profiler.values.estimate import Basis, stated
from tests.unit.training.pictures import tiny_recipe
from tests.virtual.codecarbon import stand_in
from training.checkpoints.checkpoint import load_info
from training.cli.screens import render_results
from training.data.pixels import Pixels
from training.progress.view import Progress
from training.recipe import Recipe
from training.result import TrainingResult, read_result
from training.run import loop, open_ledger, training_run
from training.run.torch_settings import settings


class Watcher:
    """A view that acts at a step or an epoch."""

    def __init__(
        self,
        at_step: Callable[[int, float], None] = lambda epoch, share: None,
        at_epoch: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        self._at_step, self._at_epoch = at_step, at_epoch
        self.progress: list[Progress] = []
        self.outcomes: list[TrainingResult] = []
        self.begun: dict[str, Any] = {}
        self.told: list[str] = []
        self.losses: list[tuple[int, float]] = []

    def begin(self, recipe: Recipe, **told: Any) -> None:
        self.begun = told

    def stage(self, text: str) -> None:
        self.told.append(text)

    def tick(self) -> None:
        self.told.append("tick")

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...

    def step(self, epoch: int, share: float) -> None:
        self.told.append(f"step {share:.2f} of {epoch}")
        self._at_step(epoch, share)

    def loss(self, step: int, loss: float) -> None:
        self.losses.append((step, loss))

    def epoch(self, progress: Progress) -> None:
        self.progress.append(progress)
        self._at_epoch(progress.point.epoch)

    def end(self, outcome: TrainingResult) -> None:
        self.outcomes.append(outcome)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOOK_STEPS", 2)


def train(recipe: Recipe, folder: Path, view: Watcher | None = None, **how: Any) -> TrainingResult:
    how = {"meters": [], "threads": 1, **how}
    return loop.train(
        recipe, folder, device="cpu", carbon=carbon_factors(), view=view or Watcher(), **how
    )


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_file(folder / f"{name}.safetensors")


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def interrupt(number: int, epoch: int, share: float) -> Watcher:
    """Send this process a signal at a moment of the run."""

    def at_step(now: int, done: float) -> None:
        if now == epoch and math.isclose(done, share):
            signal.raise_signal(number)

    return Watcher(at_step)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return tiny_recipe(tmp_path, ema_decay=0.9, validation_share=0.2, batch_size=3)


def test_a_run_learns_and_leaves_everything_in_its_folder(tmp_path: Path, recipe: Recipe) -> None:
    view, folder = Watcher(), tmp_path / "run"
    outcome = train(recipe, folder, view)
    assert outcome.stopped_by == "epochs"
    assert outcome.epochs_done == len(outcome.curve) == len(view.progress) == 3
    assert outcome.curve[-1].loss < outcome.curve[0].loss
    assert outcome.test_accuracy is not None
    assert outcome.test_accuracy.point >= 0.9
    assert "16 images" in outcome.test_accuracy.source or "test" in outcome.test_accuracy.source
    assert view.outcomes == [outcome]
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "recipe.json", "ledger.jsonl", "last.safetensors", "best.safetensors", "last.json",
        "best.json", "result.json",
    }  # fmt: skip
    document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert document["schema_version"] == 1
    assert document["test_accuracy"]["point"] == outcome.test_accuracy.point


def test_whoever_watches_is_told_of_every_step_and_every_stage_when_it_begins(
    tmp_path: Path, recipe: Recipe
) -> None:
    view = Watcher()
    train(replace(recipe, epochs=2), tmp_path / "run", view)
    epochs = [
        [f"step {step / 10:.2f} of {epoch}" for step in range(11)] + ["evaluating", "tick", "tick"]
        for epoch in (1, 2)
    ]
    warm = ["decoding", "warming up", *["tick"] * 4]
    assert view.told[: len(warm)] == warm
    told = view.told[len(warm) :]
    assert [item for item in told if item != "tick"] == [
        item for epoch in epochs for item in epoch if item != "tick"
    ] + ["evaluating"]
    assert told.count("tick") > 2 * len(epochs)
    assert view.begun["epoch_steps"] == 10
    assert [step for step, _ in view.losses] == [*range(2, 21, 2)]
    for epoch, parts in enumerate((view.losses[:5], view.losses[5:])):
        mean_loss = sum(loss for _, loss in parts) / 5
        assert mean_loss == pytest.approx(view.progress[epoch].point.loss)


def test_every_phase_is_in_the_ledger_and_every_image_is_counted(
    tmp_path: Path, recipe: Recipe
) -> None:
    outcome = train(recipe, tmp_path / "run")
    phases = {entry.phase for entry in outcome.ledger.entries}
    assert phases >= {
        Phase.DATA, Phase.SETUP, Phase.WARM_UP, Phase.TRAIN, Phase.EVALUATE, Phase.CHECKPOINT,
    }  # fmt: skip
    assert outcome.ledger.image_count == 3 * 10 * 3
    trained = [e.epoch for e in outcome.ledger.entries if e.phase == Phase.TRAIN]
    assert trained == [1, 2, 3]
    assert outcome.ledger.segments[0].ended == "finished"


def test_joules_are_those_of_a_known_power(tmp_path: Path, recipe: Recipe) -> None:
    meter = SyntheticMeter(lambda second: 50.0, update_period_s=0.01)
    channels, _ = open_meter(meter)
    outcome = train(recipe, tmp_path / "run", meters=[(meter, channels)])
    spent = outcome.ledger.energy_j
    assert spent is not None
    # What the sensor has not told at either end of so short a run: two of its periods.
    assert spent.point == pytest.approx(50 * outcome.ledger.duration_s, abs=50 * 2 * 0.01)
    curve = [point.energy_j.point for point in outcome.curve if point.energy_j is not None]
    assert len(curve) == 3
    assert curve == sorted(curve)
    assert curve[-1] <= spent.point + 50 * 2 * 0.01


def test_the_same_recipe_gives_the_same_bits_and_another_seed_others(
    tmp_path: Path, recipe: Recipe
) -> None:
    for name in ("one", "again"):
        torch.manual_seed(len(name))
        train(recipe, tmp_path / name)
    train(replace(recipe, seed=1), tmp_path / "other")
    one, again, other = (weights(tmp_path / name) for name in ("one", "again", "other"))
    assert same_weights(one, again)
    assert not same_weights(one, other)


@pytest.mark.parametrize("share", [0.2, 0.6, 1.0])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    tmp_path: Path, recipe: Recipe, share: float
) -> None:
    whole = train(recipe, tmp_path / "whole")
    view = interrupt(signal.SIGINT, 2, share)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", view)
    assert view.outcomes[0].stopped_by == "interrupted"
    assert view.outcomes[0].test_accuracy is None
    assert view.outcomes[0].epochs_done == (2 if share == 1.0 else 1)
    resumed = train(recipe, tmp_path / "cut", resume=True)
    assert same_weights(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    assert same_weights(weights(tmp_path / "whole", "best"), weights(tmp_path / "cut", "best"))
    assert resumed.test_accuracy == whole.test_accuracy
    for point, other in zip(whole.curve, resumed.curve, strict=True):
        assert point.loss == pytest.approx(other.loss, rel=1e-6)
        assert point.train_accuracy == other.train_accuracy
        assert point.validation_accuracy == other.validation_accuracy
    assert [segment.ended for segment in resumed.ledger.segments] == ["interrupted", "finished"]
    assert resumed.ledger.image_count == whole.ledger.image_count
    durations = [point.duration_s for point in resumed.curve]
    assert durations == sorted(durations)


def test_sigterm_ends_with_its_exit_code_and_gives_the_handlers_back(
    tmp_path: Path, recipe: Recipe
) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as ended:
        train(recipe, tmp_path / "run", interrupt(signal.SIGTERM, 1, 0.4))
    assert ended.value.code == 128 + signal.SIGTERM
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert read_ledger(tmp_path / "run").segments[0].ended == "interrupted"


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path, recipe: Recipe) -> None:
    def twice(epoch: int, share: float) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second signal was swallowed")

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", Watcher(twice))
    assert read_ledger(tmp_path / "run").segments[0].ended == "interrupted"


def test_a_run_killed_after_an_epoch_goes_on_with_the_same_bits(
    tmp_path: Path, recipe: Recipe
) -> None:
    def die(epoch: int) -> None:
        if epoch == 2:
            raise MemoryError

    train(recipe, tmp_path / "whole")
    with pytest.raises(MemoryError):
        train(recipe, tmp_path / "cut", Watcher(at_epoch=die))
    train(recipe, tmp_path / "cut", resume=True)
    assert same_weights(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_run_without_a_checkpoint_yet_begins_anew_in_its_ledger(
    tmp_path: Path, recipe: Recipe
) -> None:
    folder = tmp_path / "run"
    train(recipe, folder)
    for name in ("last", "best"):
        (folder / f"{name}.safetensors").unlink()
    outcome = train(recipe, folder, resume=True)
    assert outcome.epochs_done == 3
    assert len(outcome.ledger.segments) == 2


def test_a_finished_run_is_not_resumed_and_costs_nothing_more(
    tmp_path: Path, recipe: Recipe
) -> None:
    train(recipe, tmp_path / "run")
    with pytest.raises(UsageError, match="is finished: 3 of 3 epochs"):
        train(recipe, tmp_path / "run", resume=True)
    assert len(read_ledger(tmp_path / "run").segments) == 1


def test_a_run_that_was_killed_before_its_test_is_tested_when_resumed(
    tmp_path: Path, recipe: Recipe
) -> None:
    first = train(recipe, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    again = train(recipe, tmp_path / "run", resume=True)
    assert again.curve == first.curve
    assert again.test_accuracy == first.test_accuracy
    assert again.ledger.image_count == first.ledger.image_count


def test_the_test_accuracy_is_noted_in_the_weights_for_both_precisions(
    tmp_path: Path, recipe: Recipe
) -> None:
    outcome = train(replace(recipe, dtype="bf16"), tmp_path / "run")
    note = load_info(tmp_path / "run" / "best.safetensors").notes["accuracy"]
    assert set(note["by_dtype"]) == {"bf16", "fp32"}
    assert outcome.test_accuracy is not None
    assert note["by_dtype"]["bf16"]["point"] == outcome.test_accuracy.point


def test_a_loss_that_is_not_a_number_names_epoch_step_and_rate(
    tmp_path: Path, recipe: Recipe
) -> None:
    wild = replace(recipe, learning_rate=1e30, momentum=0.0, warmup_share=0.0)
    with pytest.raises(TrainingError, match=r"in epoch 1, step [1-9]\d? of 10, at .* rate of 9"):
        train(wild, tmp_path / "run")
    assert read_ledger(tmp_path / "run").segments[0].ended == "failed"
    assert read_ledger(tmp_path / "run").image_count > 0


def test_the_step_named_is_the_first_bad_one(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = training_run.Learner.learn
    monkeypatch.setattr(loop, "LOOK_STEPS", 8)

    def broken(self: Any, images: Any, labels: Any, step: int) -> Any:
        logits, loss = taken(self, images, labels, step)
        return logits, loss * (math.nan if step in (12, 15) else 1)

    monkeypatch.setattr(training_run.Learner, "learn", broken)
    with pytest.raises(TrainingError, match=r"in epoch 2, step 3 of 10") as stopped:
        train(recipe, tmp_path / "run")
    assert "--learning-rate 0.033" in (stopped.value.hint or "")


def test_a_target_stops_the_run_after_the_epoch_that_reaches_it(
    tmp_path: Path, recipe: Recipe
) -> None:
    outcome = train(replace(recipe, epochs=30), tmp_path / "run", target_accuracy=0.9)
    assert outcome.stopped_by == "target"
    assert outcome.epochs_done < 30
    reached = [point.validation_accuracy or 0.0 for point in outcome.curve]
    assert reached[-1] >= 0.9
    assert max(reached[:-1], default=0.0) < 0.9
    assert outcome.test_accuracy is not None
    assert outcome.ledger.segments[0].ended == "target"
    assert outcome.ledger.joules_to(0.9) is None  # there was no sensor


def test_a_target_that_only_the_test_split_could_judge_is_refused(
    tmp_path: Path, recipe: Recipe
) -> None:
    with pytest.raises(UsageError, match="there is no validation split") as refused:
        train(replace(recipe, validation_share=0.0), tmp_path / "run", target_accuracy=0.9)
    assert "--validation-share" in (refused.value.hint or "")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_the_test_split_is_read_when_every_epoch_is_done(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    looked: list[tuple[int, int]] = []
    fetch, view = Pixels.fetch, Watcher()

    def watched(self: Pixels, batches: Any) -> Any:
        looked.append((len(self), len(view.progress)))
        return fetch(self, batches)

    monkeypatch.setattr(Pixels, "fetch", watched)
    train(replace(recipe, validation_share=share), tmp_path / "run", view)
    validated, tested = [[done for count, done in looked if count == size] for size in (8, 16)]
    assert validated == ([0, 1, 2] if share else [])
    assert set(tested) == {3}


def test_the_best_weights_are_those_of_the_best_validation_accuracy(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = iter([(5, 8), (7, 8), (6, 8), (16, 16)])
    monkeypatch.setattr(training_run.Run, "count_correct", lambda *whatever: next(scripted))
    outcome = train(recipe, tmp_path / "run")
    assert outcome.best_epoch == 2
    assert outcome.validation_accuracy is not None
    assert outcome.validation_accuracy.point == 7 / 8
    header = json.loads((tmp_path / "run" / "best.json").read_text(encoding="utf-8"))
    assert header["info"]["epochs_done"] == 2


def test_without_validation_the_last_weights_are_the_best(tmp_path: Path, recipe: Recipe) -> None:
    plain = replace(recipe, validation_share=0.0, ema_decay=None)
    outcome = train(plain, tmp_path / "run")
    assert outcome.best_epoch == 3
    assert outcome.validation_accuracy is None
    best, last = weights(tmp_path / "run", "best"), weights(tmp_path / "run")
    assert all(torch.equal(value, last[f"model.{name}"]) for name, value in best.items())


def test_warming_up_changes_nothing(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe, tmp_path / "warm")
    monkeypatch.setattr(training_run, "warm_up", lambda *whatever, **named: None)
    train(recipe, tmp_path / "cold")
    assert same_weights(weights(tmp_path / "warm"), weights(tmp_path / "cold"))


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path, recipe: Recipe) -> None:
    train(recipe, tmp_path / "run")
    with pytest.raises(UsageError, match="holds a run already") as refused:
        train(recipe, tmp_path / "run")
    assert "--resume" in (refused.value.hint or "")


def test_another_recipe_cannot_go_on_with_a_run(tmp_path: Path, recipe: Recipe) -> None:
    train(recipe, tmp_path / "run")
    with pytest.raises(UsageError, match=r"learning_rate was 0.1 and is now 0.2"):
        train(replace(recipe, learning_rate=0.2), tmp_path / "run", resume=True)


def test_there_must_be_a_run_to_go_on_with(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="there is no run in"):
        train(recipe, tmp_path / "nothing", resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    train(recipe, tmp_path / "run")
    (tmp_path / "run" / "last.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(CheckpointError, match=r"last.safetensors"):
        train(recipe, tmp_path / "run", resume=True)


def test_a_model_with_other_outputs_than_classes_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    text = (tmp_path / "net.py").read_text(encoding="utf-8")
    (tmp_path / "net.py").write_text(
        text.replace("Linear(4, num_classes)", "Linear(4, 5)"), encoding="utf-8"
    )
    with pytest.raises(UsageError, match=r"outputs of shape 3x5 for 3 images, .* has 2 classes"):
        train(recipe, tmp_path / "run")


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "bf16"}, {"optimizer": "adamw", "learning_rate": 0.01},
        {"schedule": "cosine", "label_smoothing": 0.1, "cutout_size": 3},
        {"channels_last": False, "deterministic": True},
    ],
)  # fmt: skip
def test_every_choice_of_a_recipe_learns(
    tmp_path: Path, recipe: Recipe, changes: dict[str, Any]
) -> None:
    outcome = train(replace(recipe, epochs=4, **changes), tmp_path / "run")
    assert outcome.curve[-1].loss < outcome.curve[0].loss
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    with settings(Recipe(), before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(UsageError, match="0 threads"), settings(Recipe(), 0):
        pytest.fail("it began")


def test_seconds_and_joules_left_are_told(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = iter(stated(joules, "J", Basis.MEASURED, "a meter") for joules in (40.0, 50.0, 60.0))
    monkeypatch.setattr(training_run, "joules_so_far", lambda *whatever: next(spent))
    view = Watcher()
    train(recipe, tmp_path / "run", view)
    assert [seen.left_s is None for seen in view.progress] == [True, False, False]
    assert view.progress[1].left_s is not None
    assert view.progress[1].left_s > 0
    assert view.progress[2].left_s == 0
    left_j = [None if seen.left_j is None else seen.left_j.point for seen in view.progress]
    assert left_j == [None, pytest.approx(10), 0]
    assert view.progress[2].carbon_g is not None
    assert view.progress[2].carbon_g.point == pytest.approx(60 / 3.6e6 * 475)
    assert view.begun["done_epochs"] == 0


def test_codecarbons_account_of_the_segment_stands_in_the_result(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = partial(CodeCarbonTracker, script=stand_in(tmp_path, 100.0))
    monkeypatch.setattr(open_ledger, "CodeCarbonTracker", tracker)
    meter = SyntheticMeter(((1.0, 100.0),), update_period_s=0.01, device="cpu:package-0")
    outcome = train(
        recipe, tmp_path / "run", meters=[(meter, meter.open())], codecarbon=CodeCarbonOptions()
    )
    opinion = outcome.codecarbon
    assert opinion is not None
    cpu, _ = opinion.parts
    assert cpu.ratio is not None
    assert cpu.ratio.point == pytest.approx(1.0, abs=0.1)
    assert opinion.span_s.point <= outcome.ledger.duration_s
    document = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert document["codecarbon"]["energy_kwh"]["unit"] == "kWh"
    stored = read_result(tmp_path / "run")
    assert stored is not None
    assert stored.codecarbon == opinion
    assert re.search(r"CodeCarbon's[^\n]*\n?[^\n]*whole", render_results([outcome]))


def test_sigusr1_keeps_everything_and_ends_with_its_code(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(SystemExit) as ended:
        train(recipe, tmp_path / "run", interrupt(signal.SIGUSR1, 2, 0.4))
    assert ended.value.code == 138
    assert load_info(tmp_path / "run" / "last.safetensors").epochs_done == 1
    assert train(recipe, tmp_path / "run", resume=True).epochs_done == 3
