"""Calling what a user gives: inputs become arguments, an exception becomes one sentence."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from profiler.errors import MeasurementError, UsageError


def as_call(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of the call that `inputs` stands for.

    A tuple is positional arguments, a mapping is keywords, a pair of a tuple and a dict is both;
    anything else, a named tuple included, is the one positional argument.
    """
    if isinstance(inputs, Mapping):
        return (), {str(name): value for name, value in inputs.items()}
    if type(inputs) is tuple:
        if len(inputs) == 2 and isinstance(inputs[0], tuple) and isinstance(inputs[1], Mapping):
            return inputs[0], dict(inputs[1])
        return inputs, {}
    return (inputs,), {}


def as_module(model: Any) -> torch.nn.Module:
    """The module that was given, or that an exported program holds.

    Raises:
        UsageError: it is neither. A function is refused because its parameters cannot be seen.
    """
    if isinstance(model, torch.nn.Module):
        return model
    export = sys.modules.get("torch.export")
    if export is not None and isinstance(model, export.ExportedProgram):
        module: torch.nn.Module = model.module()
        return module
    if isinstance(model, type):
        raise UsageError(
            f"{model.__name__} is a class, not a model",
            hint=f"give an instance, {model.__name__}()",
        )
    name = getattr(model, "__qualname__", type(model).__name__)
    raise UsageError(
        f"{name} is no torch.nn.Module",
        hint="give a module whose forward calls it and that holds the parameters it uses",
    )


def set_to_evaluate(model: torch.nn.Module) -> torch.nn.Module:
    """The model in eval mode; an exported one has its mode built in and refuses to be told."""
    try:
        return model.eval()
    except NotImplementedError:
        for module in model.modules():
            module.training = False
        return model


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """The model in eval mode for a while."""
    modes = [(module, module.training) for module in model.modules()]
    set_to_evaluate(model)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def refuse_later_work(outputs: Any) -> None:
    """Raises MeasurementError where what a call returned still has its work to do."""
    if isinstance(outputs, (Iterator, Awaitable)):
        raise MeasurementError(
            f"the model returned a {type(outputs).__name__}, whose work is not done when the call "
            "returns",
            hint="let forward return a tensor, a tuple, a list or a dict",
        )


def sentence(error: BaseException) -> str:
    """The kind and the telling line of an exception, without a final period."""
    lines = str(error).strip().splitlines() or [""]
    line = lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
    return f"{type(error).__name__}: {line}".rstrip(" .:")
