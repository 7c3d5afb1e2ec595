"""Counting without computing: a copy of the model whose tensors have shapes but no values."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch.nn.parameter import is_lazy
from torch.nn.utils.rnn import PackedSequence
from torch.utils import _pytree as pytree

from profiler.errors import MeasurementError
from profiler.interruption import heed_interruption

from .call import as_module, sentence
from .costs import Costs
from .count_call import count
from .rules import Rules
from .tensors import unshaped


def count_on_meta(
    model: torch.nn.Module, inputs: Any, *, backward: bool = False, rules: Rules | None = None
) -> Costs:
    """Counts a model on the meta device: nothing is computed, nothing is allocated.

    The copy shares the structure of the model and none of its memory. Effective MACs are None,
    since weights without values have no zeros.

    Args:
        model: the module to count; it is not run and not changed.
        inputs: as for `count`; only shapes and dtypes matter.
        backward: whether to count the backward pass as well.
        rules: as for `count`.

    Raises:
        UsageError: if what was given is no module.
        MeasurementError: if the model cannot be copied, or needs values to run.
    """
    model = as_module(model)
    twin = _twin(model)
    try:
        shapes = _shapes(inputs)
    except (NotImplementedError, RuntimeError) as error:  # layouts that have no meta kernels
        raise MeasurementError(
            f"an input has no form without values: {sentence(error)}",
            hint="count it where it can run, with profiler.count(model, inputs)",
        ) from error
    try:
        with torch.device("meta"):
            return count(twin, shapes, backward=backward, rules=rules)
    except MeasurementError as error:
        raise MeasurementError(
            f"{type(model).__name__} cannot be counted on the meta device: {error.message}",
            hint="count it where it can run, with profiler.count(model, inputs)",
        ) from error


def _shapes(inputs: Any) -> Any:
    """The inputs without values, but for the batch sizes of a packed sequence, which steer it."""

    def is_packed(value: Any) -> bool:
        return isinstance(value, PackedSequence)

    def shape_of(value: Any) -> Any:
        if is_packed(value):
            data, sizes, *order = value
            return PackedSequence(shape_of(data), sizes, *map(shape_of, order))
        return _shape_of(value) if isinstance(value, torch.Tensor) else value

    return pytree.tree_map(shape_of, inputs, is_leaf=is_packed)


def _twin(model: torch.nn.Module) -> torch.nn.Module:
    """The model with every tensor replaced by its shape."""
    memo: dict[int, Any] = {}
    try:
        for module in model.modules():
            held = pytree.tree_leaves(list(vars(module).values()))
            for value in (*module._parameters.values(), *module._buffers.values(), *held):
                if isinstance(value, torch.Tensor) and id(value) not in memo:
                    memo[id(value)] = _shape_of(value)
        return copy.deepcopy(model, memo)
    except Exception as error:
        # Any object may refuse to be copied, each with an exception of its own.
        heed_interruption(error)
        raise MeasurementError(
            f"{type(model).__name__} cannot be copied to the meta device: {sentence(error)}",
            hint="count it where it can run, with profiler.count(model, inputs)",
        ) from error


def _shape_of(tensor: torch.Tensor) -> torch.Tensor:
    if is_lazy(tensor):
        return cast(torch.Tensor, unshaped(tensor, torch.device("meta")))
    if tensor.is_meta:
        return tensor
    shape = tensor.detach().to("meta")
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(shape, requires_grad=tensor.requires_grad)
    return shape.requires_grad_(tensor.requires_grad)
