"""Steps before the first one that counts, in which kernels are chosen, compiled and cached."""

from __future__ import annotations

from collections.abc import Callable

import torch

from profiler.errors import UsageError
from training.checkpoints.state import capture_rng, restore_rng
from training.data.splits import Splits
from training.distribution import Group
from training.evaluation.forward import evaluating, forward

from .learner import Learner

STEPS = 3


def warm_up(
    learner: Learner, splits: Splits, group: Group, *, after_step: Callable[[], None]
) -> None:
    """Run the model forwards and backwards on noise; weights, statistics and RNG stay as they were.

    Args:
        learner: what is to be trained.
        splits: for the shape of an image and the number of classes.
        group: whose part of a batch this rank takes.
        after_step: called after each of the passes.

    Raises:
        UsageError: the model has another number of outputs than the data has classes.
    """
    rng = capture_rng()
    kept = {name: value.clone() for name, value in learner.model.state_dict().items()}
    images, labels = _noise(learner, splits, group)
    with evaluating(learner.evaluated):
        logits = forward(learner.evaluated, images, learner.recipe.dtype)
    after_step()
    _check_outputs(tuple(logits.shape), learner, len(splits.class_names))
    for _ in range(STEPS):
        _, loss = learner.forward(images, labels)
        learner.scaler.scale(loss).backward()
        learner.optimizer.zero_grad(set_to_none=True)
        after_step()
    learner.model.load_state_dict(kept)
    restore_rng(rng)


def _noise(learner: Learner, splits: Splits, group: Group) -> tuple[torch.Tensor, torch.Tensor]:
    part, _ = group.step_shard(learner.recipe.batch_size)
    count, device = part.stop - part.start, torch.device(learner.device.name)
    layout = torch.channels_last if learner.recipe.channels_last else torch.contiguous_format
    images = torch.randn(count, *splits.input_shape, device=device)
    labels = torch.randint(len(splits.class_names), (count,), device=device)
    return images.contiguous(memory_format=layout), labels


def _check_outputs(shape: tuple[int, ...], learner: Learner, class_count: int) -> None:
    if len(shape) == 2 and shape[1] == class_count:
        return
    recipe = learner.recipe
    raise UsageError(
        f"'{recipe.model}' gives outputs of shape {'x'.join(map(str, shape))} for "
        f"{recipe.batch_size} images, '{recipe.data}' has {class_count} classes",
        hint="name a model that gives one output a class, or takes num_classes",
    )
