"""Run: everything that the loop needs of one segment, and what it does with it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.errors import ProfilerError
from profiler.ledger import Ledger, Phase
from profiler.machine.device import Device
from profiler.values.findings import Finding
from profiler.values.profile import CarbonFactors
from profiler.values.quantities import JOULES_PER_KWH, grams
from profiler.workload.prepared import explained
from training.checkpoints.checkpoint import load_into, save_checkpoint, save_weights
from training.checkpoints.header import Info
from training.checkpoints.state import State, capture
from training.data.batches import steps_per_epoch
from training.data.splits import Pixels, Splits, load_splits
from training.data.stream import explaining_lost_workers
from training.distribution import Group
from training.evaluation.accuracy_note import Tested, judge_weights, keep_accuracy
from training.evaluation.evaluation import count_correct
from training.progress.view import Progress, View, project
from training.recipe import Recipe
from training.result import CurvePoint
from training.run_folder import BEST, LAST

from .interruption import is_ended_by_signal
from .learner import Learner, compiled, judge_fit, make_learner
from .loss import teacher_sha256
from .open_ledger import LedgerOrNone, images_per_step, joules_so_far
from .precision import judge_precision
from .start import check_data, check_teacher, write_recipe
from .warmup import warm_up

ADVICE = "check --data and --image-size, or see the traceback with --debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One segment of a run, ready to train.

    Args:
        recipe: what is computed.
        folder: where its files go.
        device: where it is computed.
        group: the ranks that share the work.
        splits: the data.
        learner: the model.
        ledger: where the joules are entered.
        view: who watches.
        carbon: factors from joules to grams.
        earlier_s: length of the earlier segments.
        started_s: monotonic time at which this one began.
        host_images: of each step, those processed on this ledger's host.
    """

    recipe: Recipe
    folder: Path
    device: Device
    group: Group
    splits: Splits
    learner: Learner
    ledger: LedgerOrNone
    view: View
    carbon: CarbonFactors
    earlier_s: float
    started_s: float
    host_images: int

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return steps_per_epoch(self.splits.train, self.recipe)

    @contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """Explains what the user's model raises, and the loss of a process that decodes for it."""
        try:
            with explained(self.device, advice=ADVICE), explaining_lost_workers():
                yield
        except ProfilerError as error:
            if is_ended_by_signal(error.__cause__):
                raise error.__cause__ from None
            raise

    def save(self, info: Info, epoch: int | None) -> None:
        """Write everything that going on needs."""
        with self.ledger.phase(Phase.CHECKPOINT, epoch):
            if self.group.is_first:
                learner = self.learner
                state = capture(
                    info,
                    model=learner.model,
                    optimizer=learner.optimizer,
                    ema=None if learner.average is None else learner.average.model,
                    scaler=learner.scaler,
                )
                save_checkpoint(self.folder / LAST, state)

    def save_best(self, info: Info, epoch: int | None) -> None:
        """Write the evaluated weights."""
        with self.ledger.phase(Phase.CHECKPOINT, epoch):
            if self.group.is_first:
                save_weights(self.folder / BEST, info, self.learner.evaluated.state_dict())

    def load_best_weights(self) -> None:
        """Evaluate the best weights from now on: those that users get, as they are on the disk."""
        with self.ledger.phase(Phase.CHECKPOINT):
            if self.group.is_first:
                load_into(self.learner.evaluated, self.folder / BEST)

    def count_correct(self, pixels: Pixels, epoch: int | None) -> tuple[int, int]:
        """Right answers of the evaluated weights, and images."""
        with self.ledger.phase(Phase.EVALUATE, epoch) as tally, self.explaining_errors():
            self.group.copy_from_first(self.learner.evaluated)
            count = count_correct(
                self.learner.evaluated,
                pixels,
                self.splits.normalization,
                batch_size=self.recipe.batch_size,
                dtype=self.recipe.dtype,
                channels_last=self.recipe.channels_last,
                group=self.group,
                after_batch=self.view.tick,
            )
            tally.item_count += count.total if self.group.is_first else 0
        return count.correct, count.total

    def test(self) -> Tested:
        """The best weights on the test split, noted in their checkpoint for `measure`.

        They are tested in fp32 as well, the precision in which they will mostly be measured.
        """
        recipe, splits = self.recipe, self.splits
        assert splits.test is not None
        with self.ledger.phase(Phase.EVALUATE) as tally, self.explaining_errors():
            self.group.copy_from_first(self.learner.evaluated)
            tested = judge_weights(
                self.learner.evaluated,
                splits.test,
                splits.normalization,
                data=splits.test_description,
                class_names=splits.class_names,
                dtypes=(recipe.dtype, "fp32"),
                batch_size=recipe.batch_size,
                channels_last=recipe.channels_last,
                group=self.group,
                after_batch=self.view.tick,
            )
            passes = len(tested.note["by_dtype"]) if self.group.is_first else 0
            tally.item_count += passes * len(splits.test)
        with self.ledger.phase(Phase.CHECKPOINT):
            if self.group.is_first:
                keep_accuracy(self.folder / BEST, tested.note)
        return tested

    def point(
        self, epoch: int, loss: float, train_accuracy: float, accuracy: float | None, speed: float
    ) -> CurvePoint:
        """The curve's point of an epoch that ends now."""
        return CurvePoint(
            epoch=epoch,
            loss=loss,
            train_accuracy=train_accuracy,
            validation_accuracy=accuracy,
            learning_rate=self.learner.rate(epoch * self.steps - 1),
            energy_j=joules_so_far(self.ledger, self.group),
            duration_s=self.earlier_s + time.monotonic() - self.started_s,
            images_per_s=speed,
        )

    def show(self, info: Info, first_epoch: int) -> None:
        """Tell the view and the ledger about the epoch that has just ended."""
        point = info.curve[-1]
        self.ledger.note_epoch(
            point.epoch,
            loss=point.loss,
            train_accuracy=point.train_accuracy,
            accuracy=point.validation_accuracy,
            learning_rate=point.learning_rate,
            images_per_s=point.images_per_s,
        )
        self.ledger.settle()
        left_s, left_j = project(info.curve[first_epoch - 1 :], self.recipe.epochs)
        spent_j = point.energy_j
        spent_kwh = None if spent_j is None else spent_j.scaled(1 / JOULES_PER_KWH, "kWh")
        self.view.epoch(
            Progress(
                point=point,
                power_w=self.ledger.power_w,
                carbon_g=None if spent_kwh is None else grams(spent_kwh, self.carbon),
                left_s=left_s,
                left_j=left_j,
            )
        )


def set_up(
    recipe: Recipe,
    folder: Path,
    *,
    device: Device,
    group: Group,
    ledger: LedgerOrNone,
    view: View,
    carbon: CarbonFactors,
    state: State | None,
) -> tuple[Run, Info]:
    """Data, model and warm kernels, each in its phase; and where the run stands.

    The view begins before the kernels are warm: compiling a large model takes minutes and joules.

    Raises:
        ProfilerError: of the data, the model, the teacher or the checkpoint.
    """
    started_s = time.monotonic()
    earlier_s = ledger.summary().duration_s if isinstance(ledger, Ledger) else 0.0
    _note(view, judge_precision(recipe, device))
    with ledger.phase(Phase.DATA):
        view.stage("decoding")
        splits = load_splits(recipe, device.name)
        check_data(state, recipe, splits)
        splits.train.prepare(recipe.crop_padding)
    with ledger.phase(Phase.SETUP):
        steps = steps_per_epoch(splits.train, recipe) * recipe.epochs
        learner = make_learner(
            recipe, splits, device, group, steps=steps, state=state, path=folder / LAST
        )
        run = Run(
            recipe=recipe, folder=folder, device=device, group=group, splits=splits,
            learner=learner, ledger=ledger, view=view, carbon=carbon, earlier_s=earlier_s,
            started_s=started_s, host_images=images_per_step(group, recipe.batch_size),
        )  # fmt: skip
        check_teacher(state, recipe, learner.criterion)
    _note(view, judge_fit(recipe, learner.fit))
    with ledger.phase(Phase.COMPILE if recipe.compile else Phase.WARM_UP), run.explaining_errors():
        view.begin(
            recipe, folder=folder, description=f"{device.label}; {splits.description}",
            done_epochs=0 if state is None else state.info.epochs_done, gauge=ledger,
            epoch_steps=run.steps, done_steps=0 if state is None else state.info.step,
        )  # fmt: skip
        view.stage("compiling" if recipe.compile else "warming up")
        if recipe.compile:
            run = replace(run, learner=compiled(learner))
        warm_up(run.learner, splits, group, after_step=view.tick)
    if group.is_first:
        write_recipe(folder, recipe)  # data or teacher may have moved
    if state is not None:
        return run, replace(state.info, recipe=recipe)
    info = Info(
        recipe=recipe, class_names=splits.class_names, input_shape=splits.input_shape,
        normalization=splits.normalization, data=splits.identity,
        teacher_sha256=teacher_sha256(learner.criterion),
    )  # fmt: skip
    run.save(info, None)
    return run, info


def _note(view: View, findings: Iterable[Finding]) -> None:
    for finding in findings:
        view.note(f"{finding.observed}: {finding.remedy}")


def after_epoch(info: Info, point: CurvePoint, steps: int) -> tuple[Info, bool]:
    """The run one epoch on, and whether that epoch's weights are the best so far.

    Without a validation split the latest are the best.
    """
    accuracy = point.validation_accuracy
    is_best = accuracy is None or info.best_accuracy is None or accuracy > info.best_accuracy
    return replace(
        info,
        epochs_done=point.epoch,
        step=point.epoch * steps,
        best_accuracy=accuracy if is_best else info.best_accuracy,
        best_epoch=point.epoch if is_best else info.best_epoch,
        curve=(*info.curve, point),
        notes=None,
    ), is_best
