"""A model as a graph of operators, for whatever runs it in another way than torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from profiler.errors import ExportError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

from .prepared import map_tensors, tensors_in
from .quantized import quiet_libraries

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


def export_program(model: nn.Module, example: Inputs, *, purpose: str, least: int = 1) -> Any:
    """The model as torch exports it, for any batch.

    Args:
        model: in the mode that is to be exported.
        example: positional and keyword arguments of one call, of at least two items: a batch of one
            is taken for a constant. The first axis of every tensor that is as long as that of the
            first tensor is the batch.
        purpose: what wants it, for the error.
        least: items of the smallest batch.

    Returns:
        torch.export.ExportedProgram.

    Raises:
        ExportError: it cannot be exported; the error names the layer where it failed.
    """
    batch = torch.export.Dim("batch", min=least)
    arguments, keywords = example
    tensors = tensors_in(example)
    size = len(tensors[0]) if tensors and tensors[0].ndim else None

    def axes(tensor: torch.Tensor) -> Any:
        return {0: batch} if tensor.ndim and len(tensor) == size else {}

    shapes = (*map_tensors(axes, arguments), *map_tensors(axes, keywords).values())
    with running_layer(model) as path, quiet_libraries():
        try:
            return torch.export.export(model, arguments, keywords, dynamic_shapes=shapes)
        # Whatever the user's code makes of symbolic shapes.
        except Exception as error:
            heed_interruption(error)
            where = f"layer '{path[-1]}'" if path and path[-1] else type(model).__name__
            raise ExportError(
                f"{purpose} cannot export {where}: {one_line(error)[:200]}",
                hint="see torch.export's limits, or leave it out for this model",
            ) from error


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
