"""What a transform may work with, and what it is refused for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import nn

from profiler.counting import count
from profiler.errors import MeasurementError, TransformError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line
from profiler.workload.prepared import map_tensors, split_inputs
from profiler.workload.quantized import quiet_libraries

EXTRA = 'pip install "wattprof[compress]"'
Inputs = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a transform may work with.

    Args:
        name: of the transform, as the reference writes it.
        is_trained: whether the model's weights mean something.
        for_training: whether the model will be trained next, or is to take a checkpoint's weights.
        device: where the model will run: "cpu", "cuda:0".
        load_batches: inputs of some calls, each as `profiler.measure` takes it; None where there
            are none.
    """

    name: str
    is_trained: bool
    for_training: bool = False
    device: str = "cpu"
    load_batches: Callable[[], Sequence[Any]] | None = field(default=None, compare=False)

    @cached_property
    def batches(self) -> tuple[Inputs, ...]:
        """Positional and keyword arguments of each call.

        Raises:
            TransformError: there are none.
        """
        batches = () if self.load_batches is None else tuple(self.load_batches())
        if not batches:
            raise TransformError(
                f"{self.name} must run the model, and has no inputs for it",
                hint="give some: profiler.transform(model, ..., data=batch)",
            )
        return tuple(map(split_inputs, batches))

    def example(self, item_count: int) -> Inputs:
        """The first batch, cut or repeated to so many items, in fp32."""

        def cut(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.ndim == 0:
                return tensor
            return tensor[torch.arange(item_count, device=tensor.device) % len(tensor)]

        example: Inputs = map_tensors(cut, self.batches[0])
        return example

    def needs(self, package: str) -> ModuleType:
        """Import what a transform is made with.

        Raises:
            TransformError: it is not installed.
        """
        try:
            with quiet_libraries():
                return import_module(package)
        except ImportError as error:
            raise TransformError(
                f"{self.name} needs {package.partition('.')[0]}, which cannot be imported "
                f"({one_line(error)})",
                hint=EXTRA,
            ) from error


def parent_of(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds another one, and the name it has there."""
    above, _, name = path.rpartition(".")
    return model.get_submodule(above), name


def run(model: nn.Module, inputs: Inputs, transform: str) -> Any:
    """The model's answer; an error names the innermost layer that raised.

    Raises:
        TransformError: the model cannot be run.
    """
    arguments, keywords = inputs
    with running_layer(model) as path:
        try:
            return model(*arguments, **keywords)
        # The model is the user's: it may raise anything.
        except Exception as error:
            heed_interruption(error)
            where = f"layer '{path[-1]}'" if path and path[-1] else "the model"
            raise TransformError(
                f"{transform} needs to run the model, and {where} raised {one_line(error)[:300]}",
                hint="check --input-shape, or the data that was given",
            ) from error


def counts_before(model: nn.Module, material: Material) -> tuple[int | None, int | None]:
    """Parameters, and MACs of one item; no MACs where an operator cannot be counted."""
    parameter_count = sum(parameter.numel() for parameter in model.parameters())
    try:
        with torch.no_grad():
            costs = count(model.eval(), material.example(1))
    except MeasurementError:
        return parameter_count, None
    return parameter_count, None if costs.uncounted_ops else costs.mac_count


@contextmanager
def running_layer(model: nn.Module) -> Iterator[list[str]]:
    """The paths of the modules that are running, outermost first."""
    stack: list[str] = []
    handles = []
    for path, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda *_, path=path: stack.append(path)))
        handles.append(module.register_forward_hook(lambda *_: _leave(stack)))
    try:
        yield stack
    finally:
        for handle in handles:
            handle.remove()


def _leave(stack: list[str]) -> None:
    stack.pop()
