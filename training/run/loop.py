"""The training loop.

What each choice gains: lightweight on CIFAR-10, one thread, medians of 7 rounds in turns, in images
per CPU second, which says nothing of how well two threads share the work. AMD EPYC (Zen 4: bf16 by
AVX-512, no AMX), torch 2.15, other work on the machine.

    plain: DataLoader, transforms item by item, fp32, channels first, batch 128     890
    decoded once, augmented in batches                                             1100
    channels last                                                                  1260
    bf16 under autocast                                                            1930
    gradients channels last too (`channels_last`)                                  1990
    batch 256                                                                      2220

On two threads: 1560 images/s for the plain loop (1480 with two workers), 4120 for this one.
Three quarters of what is left are the convolutions' own kernels, which run at what this CPU can do
in bf16: twice its fp32. Without instructions for bf16 it is a loss: see `precision`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from profiler.ledger import Phase, Tally
from profiler.machine.codecarbon_tracker import CodeCarbonOptions
from profiler.machine.contention import CpuWatch
from profiler.machine.device import find_device
from profiler.machine.gpu_watch import GpuWatch
from profiler.meters import OpenMeter
from profiler.values.profile import CarbonFactors
from training.checkpoints.header import Info
from training.checkpoints.state import State
from training.data.batches import batches
from training.distribution import ALONE, Group
from training.evaluation.accuracy_note import Tested
from training.progress.view import SILENT, View
from training.recipe import Recipe
from training.result import (
    STOPPED_BY_EPOCHS,
    STOPPED_BY_INTERRUPTION,
    STOPPED_BY_TARGET,
    TrainingResult,
)

from .epoch_sums import Running, Sums, diverged, sums_from
from .finish import conclude
from .interruption import Interruption, ended_by
from .open_ledger import opened_ledger, second_tracker
from .start import begin, check_target
from .torch_settings import settings
from .training_run import Run, after_epoch, set_up

LOOK_STEPS = 20
"""Steps between two looks at loss and signals, each of which waits for the device."""
ENDINGS = {
    STOPPED_BY_EPOCHS: "finished",
    STOPPED_BY_TARGET: "target",
    STOPPED_BY_INTERRUPTION: "interrupted",
}


def train(
    recipe: Recipe,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    target_accuracy: float | None = None,
    threads: int | None = None,
    carbon: CarbonFactors,
    view: View = SILENT,
    meters: Sequence[OpenMeter] | None = None,
    group: Group = ALONE,
    codecarbon: CodeCarbonOptions | None = None,
    is_tested: bool = True,
) -> TrainingResult:
    """Train a recipe in a folder, every joule in the ledger; test once, when all is decided.

    Args:
        recipe: what to compute.
        folder: of the run; a new one, or with `resume` that of an earlier segment.
        device: "cpu", "cuda", "cuda:N" or "auto".
        resume: go on where the folder's last checkpoint stands.
        target_accuracy: stop after the epoch that reaches it on the validation split.
        threads: of torch on the CPU; None leaves them.
        carbon: factors from joules to grams.
        view: who watches.
        meters: opened meters; by default the group's, or every sensor of the machine.
        group: the ranks that train together; each calls this.
        codecarbon: run CodeCarbon's own tracker beside this segment, on the first host.
        is_tested: whether the test split is read; a search, which chooses, must not see it.

    Raises:
        UsageError: the recipe does not fit the data, the folder or the target.
        InputDataError, TargetError, CheckpointError, DeviceError, StoreError: as they say.
        TrainingError: the loss became NaN or infinite, or a rank was lost.
        KeyboardInterrupt: after Ctrl-C, once everything is kept; `SystemExit(143)` after SIGTERM,
            `SystemExit(138)` after SIGUSR1.
    """
    check_target(recipe, target_accuracy)
    found = find_device(group.device or device)
    with settings(recipe, threads), group.guard():
        state = begun(recipe, folder, group, view, resume=resume)
        with second_tracker(codecarbon, recipe, found, group, carbon) as tracker:
            watches = GpuWatch(found.identity), CpuWatch()
            with opened_ledger(recipe, folder, found, group, carbon, meters) as (ledger, findings):
                with tracker.tracking():
                    run, info = set_up(
                        recipe, folder, device=found, group=group, ledger=ledger, view=view,
                        carbon=carbon, state=state,
                    )  # fmt: skip
                    with Interruption() as stop:
                        info, stopped_by = train_epochs(run, info, stop, target_accuracy)
                    is_over = stopped_by != STOPPED_BY_INTERRUPTION
                    tested = test(run, info) if is_over and is_tested else None
                ledger.stop(ENDINGS[stopped_by])
        outcome = conclude(run, info, stopped_by, tested, watches, tracker, findings)
    view.end(outcome)
    if not is_over:
        raise ended_by(stop.number)
    return outcome


def begun(recipe: Recipe, folder: Path, group: Group, view: View, *, resume: bool) -> State | None:
    """Where the run goes on, on every rank, as the first one finds it; see `begin`."""
    state = None
    if group.is_first:
        state = begin(recipe, folder, resume=resume, host_count=group.host_count, view=view)
    return group.from_first(state)


def train_epochs(
    run: Run, info: Info, stop: Interruption, target_accuracy: float | None
) -> tuple[Info, str]:
    """Train from where `info` stands; where it stands in the end, and what ended it."""
    first_epoch = info.epochs_done + 1
    for epoch in range(first_epoch, run.recipe.epochs + 1):
        begun_s, skip = time.monotonic(), info.step % run.steps
        with (
            run.group.guard(epoch),
            run.ledger.phase(Phase.TRAIN, epoch) as tally,
            run.explaining_errors(),
        ):
            sums, done = train_epoch(run, epoch, skip, sums_from(info.notes), stop, tally)
        speed = (done - skip) * run.recipe.batch_size / (time.monotonic() - begun_s)

        if done < run.steps:
            step = (epoch - 1) * run.steps + done
            run.save(replace(info, step=step, notes={"sums": asdict(sums)}), epoch)
            return info, STOPPED_BY_INTERRUPTION

        accuracy = None
        if run.splits.validation is not None:
            run.view.stage("evaluating")
            correct, total = run.count_correct(run.splits.validation, epoch)
            accuracy = correct / total

        point = run.point(epoch, sums.mean_loss, sums.accuracy, accuracy, speed)
        info, is_best = after_epoch(info, point, run.steps)
        if is_best and accuracy is not None:
            run.save_best(info, epoch)
        run.save(info, epoch)
        run.show(info, first_epoch)

        if accuracy is not None and target_accuracy is not None and accuracy >= target_accuracy:
            return info, STOPPED_BY_TARGET
        if run.group.any(stop.requested):
            return info, STOPPED_BY_INTERRUPTION
    return info, STOPPED_BY_EPOCHS


def train_epoch(
    run: Run, epoch: int, skip: int, sums: Sums, stop: Interruption, tally: Tally
) -> tuple[Sums, int]:
    """Train one epoch, or what an interrupted segment left of it.

    Args:
        run: what is trained.
        epoch: 1 for the first.
        skip: its steps that are done already.
        sums: what those came to.
        stop: whether to end after this step.
        tally: counts the images of this host.

    Returns:
        What the epoch came to, and how many of its steps are done.
    """
    done, running, looked = skip, Running(run.device.name), Sums()
    seed_epoch(run, epoch, skip)
    run.learner.model.train()
    run.view.step(epoch, skip / run.steps)
    for images, labels in batches(
        run.splits.train, run.recipe, epoch, run.splits.normalization, group=run.group, skip=skip
    ):
        logits, loss = run.learner.learn(images, labels, (epoch - 1) * run.steps + done)
        done += 1
        running.add(logits, loss, labels, done)
        tally.item_count += run.host_images
        is_look = done % LOOK_STEPS == 0
        if is_look:
            so_far = look(run, running, epoch)
            run.view.loss((epoch - 1) * run.steps + done, so_far.minus(looked).mean_loss)
            looked = so_far
        run.view.step(epoch, done / run.steps)
        # Alone, every step may be the last one; ranks must agree on it, which costs a message.
        if (is_look or run.group.world_size == 1) and run.group.any(stop.requested):
            break
    return sums.plus(look(run, running, epoch)), done


def look(run: Run, running: Running, epoch: int) -> Sums:
    """The epoch so far over all ranks; TrainingError where a loss was NaN or infinite."""
    sums = running.look(run.group)
    if not sums.is_finite:
        bad_steps = [step for step in run.group.gather(running.first_bad_step) if step is not None]
        step = min(bad_steps)
        rate = run.learner.rate((epoch - 1) * run.steps + step - 1)
        raise diverged(run.recipe, epoch, step, run.steps, rate)
    return sums


def seed_epoch(run: Run, epoch: int, skip: int) -> None:
    """Let what the model draws (dropout) depend on seed and epoch alone, and differ by rank.

    Inside an epoch a process alone goes on with the state of its checkpoint.
    """
    if skip == 0 or run.group.world_size > 1:
        text = f"{run.recipe.seed} {epoch} {run.group.rank} {skip}"
        digest = hashlib.sha256(text.encode()).digest()
        torch.manual_seed(int.from_bytes(digest[:7], "little"))


def test(run: Run, info: Info) -> Tested | None:
    """The best weights, as they lie in the folder, on the split that chose nothing."""
    if run.splits.validation is None:
        run.save_best(info, None)
    if run.splits.test is None:
        return None
    run.view.stage("evaluating")
    run.load_best_weights()
    return run.test()
