"""What `measure` and `layers` run: the model that the flags name, and a batch for it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from profiler.errors import InputDataError
from profiler.runtimes import is_outside_torch

if TYPE_CHECKING:
    from torch import Tensor

    from profiler.inputs import Batch
    from profiler.runtimes.deploy import AgreementSamples
    from profiler.workload.target import Target


AGREEMENT_ITEMS = 256


def load_target(arguments: argparse.Namespace) -> Target:
    """The model, seeded, with its transforms and its weights."""
    import torch

    from profiler.machine.device import find_device
    from profiler.variants import build, weights_of

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    device = find_device(arguments.device)
    torch.manual_seed(arguments.seed)
    return build(
        arguments.model,
        num_classes=arguments.classes,
        weights=None if arguments.checkpoint is None else weights_of(arguments.checkpoint),
        load_batches=lambda target: _calibration(arguments, target),
        device=device.name,
        runtime=arguments.runtime if is_outside_torch(arguments.runtime) else None,
    )


def load_samples(arguments: argparse.Namespace, target: Target) -> AgreementSamples | None:
    """Different images of the test split on which a run-time is held against eager torch."""
    from profiler.runtimes.deploy import AgreementSamples, runtime_of

    if runtime_of(target.model, arguments.runtime) == "eager":
        return None
    batch = load_images(arguments, target, AGREEMENT_ITEMS)
    return AgreementSamples(inputs=batch.images.unique(dim=0), description=batch.description)


def _calibration(arguments: argparse.Namespace, target: Target) -> tuple[Tensor, ...]:
    """Training images for transforms that run the model, batch by batch."""
    from profiler.inputs import load_calibration

    item_shape = arguments.input_shape or target.input_shape or (3, 32, 32)
    return load_calibration(arguments.data, input_shape=item_shape, seed=arguments.seed)


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
