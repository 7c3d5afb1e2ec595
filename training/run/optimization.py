"""Parameter groups, optimizers, learning rates and averaged weights: pure functions of a recipe."""

from __future__ import annotations

import copy
import math
from itertools import pairwise

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from training.recipe import Recipe

ADAM_SECOND_BETA = 0.999


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Kernels and matrices with weight decay; biases, normalisation and other vectors without."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.ndim >= 2]
    others = [parameter for parameter in trained if parameter.ndim < 2]
    groups = ((decayed, weight_decay), (others, 0.0))
    return [{"params": items, "weight_decay": decay} for items, decay in groups if items]


def make_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """The recipe's optimizer over the model's parameters; its rate is set before each step."""
    groups = parameter_groups(model, recipe.weight_decay)
    if recipe.optimizer == "sgd":
        return SGD(
            groups,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            fused=True,
        )
    betas = recipe.momentum, ADAM_SECOND_BETA
    return AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=True)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of one step of `steps`, counted from 0; the recipe's restarts cut these into parts.

    It climbs linearly to its peak and falls to 0 linearly (one-cycle; Smith and Topin, arXiv
    1708.07120) or along half a cosine (Loshchilov and Hutter, arXiv 1608.03983), and is positive
    in every step.
    """
    if recipe.restarts:
        epoch_steps = steps // recipe.epochs
        edges = [epoch * epoch_steps for epoch in (0, *recipe.restarts, recipe.epochs)]
        begin, end = next(pair for pair in pairwise(edges) if step < pair[1])
        step, steps = step - begin, end - begin
    climbing = recipe.warmup_share * steps
    place = step + 0.5
    if place < climbing:
        return recipe.learning_rate * place / climbing
    left = (steps - place) / (steps - climbing)
    if recipe.schedule == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return recipe.learning_rate * left


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


class Average:
    """Exponential moving average of a model's weights and of its normalisation's statistics.

    Not torch's AveragedModel: it copies its step counter to the device in every update, which waits
    for a GPU, and that counter would have to be stored and restored beside the weights.

    Args:
        model: what is averaged; it is copied.
        decay: share of the average that a step keeps, once there are steps enough for it to hold
            that many; before, the mean of what there is.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._decay = decay
        own, theirs = ([*item.parameters(), *item.buffers()] for item in (self.model, model))
        pairs = list(zip(own, theirs, strict=True))
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        self._own, self._theirs = ([pair[side] for pair in floating] for side in (0, 1))
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        share = max(1 - self._decay, 1 / (step + 1))
        torch._foreach_lerp_(self._own, self._theirs, share)
        for own, theirs in self._counters:
            own.copy_(theirs)


def count_parameters(model: nn.Module) -> int:
    """Trainable and frozen parameters, each once."""
    return sum(parameter.numel() for parameter in model.parameters())
