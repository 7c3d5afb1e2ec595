"""What `measure` and `layers` run: the model that the flags name, and a batch for it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import InputDataError, UsageError
from profiler.runtimes import is_outside_torch

if TYPE_CHECKING:
    from torch import Tensor

    from profiler.inputs import Batch
    from profiler.measurement.request import Request
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
    """Different images of --data on which a run-time is held against eager torch."""
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


def load_requests(options: dict[str, Any]) -> list[Request]:
    """What `measure` is to prepare, from its arguments as JSON holds them; one a --model."""
    from profiler.measurement.request import Request
    from profiler.values.profile import Workload

    requests = []
    for reference, checkpoint in pairs_of(options["model"], options["checkpoint"]):
        arguments = argparse.Namespace(**{**options, "model": reference})
        arguments.checkpoint = None if checkpoint is None else Path(checkpoint)
        arguments.input_shape = options["input_shape"] and tuple(options["input_shape"])
        target = load_target(arguments)
        batch = load_images(arguments, target, arguments.batch_size)
        workload = Workload(
            model=reference,
            device=arguments.device,
            data=batch.description,
            checkpoint=None if checkpoint is None else arguments.checkpoint.name,
            class_count=arguments.classes,
        )
        request = Request(
            model=target.model,
            inputs=batch.images,
            name=target.name,
            device=arguments.device,
            dtype=_dtype(arguments, target),
            batch_size=arguments.batch_size,
            channels_last=arguments.channels_last,
            runtime=arguments.runtime,
            agreement_on=load_samples(arguments, target),
            seed=arguments.seed,
            workload=workload,
        )
        requests.append(request)
    return requests


def _dtype(arguments: argparse.Namespace, target: Target) -> str | None:
    """The precision to measure in; None for that which a transform has set."""
    from profiler.workload.transformed import precision_of

    asked: str | None = arguments.dtype
    return asked or (None if precision_of(target.model) else "fp32")


def pairs_of(references: list[str], checkpoints: list[str] | None) -> list[tuple[str, str | None]]:
    """Each model with its checkpoint, by order.

    Raises:
        UsageError: there are checkpoints for some models only.
    """
    given: list[str | None] = [None] * len(references) if not checkpoints else [*checkpoints]
    if len(given) != len(references):
        raise UsageError(
            f"--checkpoint is given {len(given)} times and --model {len(references)} times",
            hint="give one checkpoint for each model, in the same order",
        )
    return list(zip(references, given, strict=True))
