"""What `measure` and `layers` run: the model that the flags name, and a batch for it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from profiler.errors import InputDataError

if TYPE_CHECKING:
    from profiler.inputs import Batch
    from profiler.workload.target import Target


def load_target(arguments: argparse.Namespace) -> Target:
    """The model, seeded, with its weights."""
    import torch

    from profiler.machine.device import find_device
    from profiler.workload.target import resolve
    from profiler.workload.weights import load_weights

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    find_device(arguments.device)
    torch.manual_seed(arguments.seed)
    target = resolve(arguments.model, num_classes=arguments.classes)
    if arguments.checkpoint is not None:
        load_weights(target.model, arguments.checkpoint)
    return target


def load_images(arguments: argparse.Namespace, target: Target, batch_size: int) -> Batch:
    """Inputs of one call."""
    from profiler.inputs import load_inputs
    from profiler.workload.prepared import is_out_of_memory

    item_shape = arguments.input_shape or target.input_shape or (3, 32, 32)
    try:
        return load_inputs(
            arguments.data, batch_size=batch_size, input_shape=item_shape, seed=arguments.seed
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        shape = "x".join(map(str, (batch_size, *item_shape)))
        raise InputDataError(
            f"images of shape {shape} do not fit into memory", hint="make --batch-size smaller"
        ) from error
