"""Learner: a model with its optimizer, averaged weights and loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from profiler.errors import UsageError
from profiler.inputs import load_calibration
from profiler.machine.device import Device
from profiler.values.findings import Finding
from profiler.values.plain_text import clean, some_of
from profiler.variants import GivenWeights, build, parse
from profiler.workload.prepared import DTYPES
from profiler.workload.stated_accuracy import stated_model
from profiler.workload.weights import Fit, fit_weights, read_weights
from training.checkpoints.state import State, restore
from training.data.splits import Splits
from training.distribution import ALONE, Group
from training.recipe import Recipe

from .channels_last import keep_channels_last
from .loss import Criterion, make_criterion
from .optimization import Average, learning_rate, make_optimizer, set_learning_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """Everything that a step changes.

    Args:
        recipe: what is trained.
        device: where.
        steps: of the whole run.
        model: the bare network, whose state is stored.
        runner: the same, compiled and averaging its gradients over ranks where asked for.
        optimizer: of its parameters.
        scaler: of the loss; disabled but for fp16.
        average: of its weights; None where the recipe has none.
        criterion: (images, logits, labels) to the mean loss.
        weight: of this rank's mean loss.
        fit: how the initial weights went into the model; None where it starts without any.
    """

    recipe: Recipe
    device: Device
    steps: int
    model: nn.Module
    runner: Callable[[Tensor], Tensor]
    optimizer: Optimizer
    scaler: GradScaler
    average: Average | None
    criterion: Criterion
    weight: float = 1.0
    fit: Fit | None = None

    @property
    def evaluated(self) -> nn.Module:
        """The model that is evaluated: the averaged one, where there is one."""
        return self.model if self.average is None else self.average.model

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and mean loss of this rank's images, under autocast to the recipe's dtype."""
        kind, dtype = images.device.type, self.recipe.dtype
        with torch.autocast(kind, DTYPES[dtype], enabled=dtype != "fp32"):
            logits = self.runner(images)
        return logits, self.criterion(images, logits, labels)

    def rate(self, step: int) -> float:
        """The learning rate of a step of the run, counted from 0."""
        return learning_rate(self.recipe, step, self.steps)

    def learn(self, images: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Take one step; its logits and mean loss, which stay on the device."""
        set_learning_rate(self.optimizer, self.rate(step))
        logits, loss = self.forward(images, labels)
        self.scaler.scale(loss * self.weight).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(step)
        return logits.detach(), loss.detach()


def make_learner(
    recipe: Recipe,
    splits: Splits,
    device: Device,
    group: Group,
    *,
    steps: int,
    state: State | None = None,
    path: Path,
) -> Learner:
    """Build what a recipe asks for, fresh from its seed or as a checkpoint left it.

    Args:
        recipe: model, optimizer, loss and form.
        splits: for the number of classes and what a teacher must have seen.
        device: where the model goes.
        group: ranks that train together; all begin with the first one's weights.
        steps: of the whole run.
        state: from a checkpoint.
        path: where that came from, for the errors.

    Raises:
        TargetError: there is no such model, or it cannot have so many classes.
        TransformError: a transform cannot be applied to it.
        CheckpointError: the state or the initial weights do not fit, or the teacher cannot be
            loaded.
    """
    torch.manual_seed(recipe.seed)
    model, fit = _build(recipe, splits, state)
    model = model.train().to(device.name)
    if recipe.channels_last:
        model = keep_channels_last(model)
    optimizer = make_optimizer(recipe, model)
    average = None if recipe.ema_decay is None else Average(model, recipe.ema_decay)
    scaler = GradScaler(torch.device(device.name).type, enabled=recipe.dtype == "fp16")
    if state is not None:
        averaged = None if average is None else average.model
        restore(state, path, model=model, optimizer=optimizer, ema=averaged, scaler=scaler)
    criterion = make_criterion(
        recipe,
        device.name,
        len(splits.class_names),
        class_names=splits.class_names,
        normalization=splits.normalization,
    )
    _, weight = group.step_shard(recipe.batch_size)
    return Learner(
        recipe=recipe,
        device=device,
        steps=steps,
        model=model,
        runner=group.wrap(model),
        optimizer=optimizer,
        scaler=scaler,
        average=average,
        criterion=criterion,
        weight=weight,
        fit=fit,
    )


def check_learner(recipe: Recipe, splits: Splits, device: Device) -> None:
    """Refuse what `make_learner` would refuse, before a run is begun; the same errors."""
    make_learner(recipe, splits, device, ALONE, steps=1, path=Path())


def _build(recipe: Recipe, splits: Splits, state: State | None) -> tuple[nn.Module, Fit | None]:
    """The model, with the weights it starts from unless a state holds later ones."""
    is_rounded = any(call.name == "int8-qat" for call in parse(recipe.model).transforms)
    if is_rounded and recipe.dtype != "fp32":
        raise UsageError(
            f"int8-qat rounds what is computed in fp32, and cannot be trained in {recipe.dtype}",
            hint="--dtype fp32, or --recipe qat",
        )
    starts_anew = state is None and recipe.initial is not None
    fits: list[Fit] = []
    model = build(
        recipe.model,
        num_classes=len(splits.class_names),
        weights=_initial(Path(recipe.initial), len(splits.class_names), fits)
        if starts_anew and recipe.initial
        else None,
        load_batches=lambda _: load_calibration(
            recipe.data, input_shape=splits.input_shape, seed=recipe.seed
        ),
        for_training=True,
        structure_only=state is not None,
        may_set_own=True,
    ).model
    return model, fits[-1] if fits else None


def _initial(path: Path, class_count: int, fits: list[Fit]) -> GivenWeights:
    """Weights to start from, maybe of a model for others; how they fit is added to `fits`."""

    def load(model: nn.Module) -> None:
        fits.append(fit_weights(model, read_weights(path), path, class_count=class_count))

    stated = stated_model(path)
    return GivenWeights(
        name=str(path), reference=None if stated is None else stated.reference, load=load
    )


def judge_fit(recipe: Recipe, fit: Fit | None) -> tuple[Finding, ...]:
    """What of the initial weights was not taken."""
    if fit is None or not (fit.fresh or fit.unused):
        return ()
    told = [f"{word}: {clean(some_of(names))}" for word, names in (
        ("begun anew, because the file knows another number of classes", fit.fresh),
        ("in the file and unused", fit.unused),
    ) if names]  # fmt: skip
    return (
        Finding(
            kind="initial-weights",
            observed=f"of '{clean(str(recipe.initial))}', {'; '.join(told)}",
            remedy="all other weights are those of the file",
        ),
    )


def compiled(learner: Learner) -> Learner:
    """The same learner, whose model is compiled when it is first called."""
    return replace(learner, runner=torch.compile(learner.runner))
