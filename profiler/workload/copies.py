"""A copy of a model and of its inputs, which share with each other what they shared before."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.rnn import PackedSequence

from profiler.counting.state import objects_held
from profiler.counting.tensors import unshaped
from profiler.errors import MeasurementError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Change = Callable[[torch.Tensor], torch.Tensor]


def copied(model: nn.Module, inputs: Arguments, place: Change) -> tuple[nn.Module, Arguments]:
    """Copies of both.

    A model that torch forbids to copy because it is spread over processes (FSDP2) is returned
    itself; whoever measures it puts it back.

    Args:
        model: any module; `DataParallel` is taken off.
        inputs: positional and keyword arguments.
        place: makes the copy of a tensor among the inputs.

    Raises:
        MeasurementError: something inside refuses to be copied.
    """
    if isinstance(model, nn.DataParallel):
        model = model.module
    memo: dict[int, Any] = {}
    if is_spread(model):
        memo[id(model)] = model
    with torch.no_grad():
        _foresee(model, memo)
        for thing in objects_held(("inputs", inputs)):
            if isinstance(thing, PackedSequence):
                memo[id(thing.batch_sizes)] = thing.batch_sizes.clone()  # these stay on the host
            elif isinstance(thing, torch.Tensor) and id(thing) not in memo:
                memo[id(thing)] = place(thing)
        twin: nn.Module = _deepcopy(model, memo, "the model")
        return twin, _deepcopy(inputs, memo, "an input")


def _foresee(model: nn.Module, memo: dict[int, Any]) -> None:
    """Copies of those tensors that torch does not copy itself: without a shape, or computed."""
    for tensor in (*model.parameters(), *model.buffers()):
        if is_lazy(tensor):
            memo[id(tensor)] = unshaped(tensor)
    for thing in objects_held(("", model)):
        if isinstance(thing, torch.Tensor) and not thing.is_leaf:
            memo[id(thing)] = thing.detach().clone()


def _deepcopy(thing: Any, memo: dict[int, Any], name: str) -> Any:
    try:
        return copy.deepcopy(thing, memo)
    except Exception as error:  # any object inside may refuse, each in its own way
        heed_interruption(error)
        raise MeasurementError(
            f"{name} cannot be copied for the measurement ({one_line(error)})",
            hint="give a factory with --model module:callable, or detach what cannot be copied",
        ) from error


def is_spread(model: nn.Module) -> bool:
    """Whether FSDP2 holds the parameters of a model, which forbids to copy it."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    return fsdp is not None and any(isinstance(m, fsdp.FSDPModule) for m in model.modules())
