"""What `measure` and `layers` run: the model that the flags name, and a batch for it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.runtimes import is_outside_torch

from .call_inputs import load_call
from .decoding import workloads_of

if TYPE_CHECKING:
    from torch import Tensor

    from profiler.inputs import Given
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


def load_samples(
    arguments: argparse.Namespace, target: Target, given: Given
) -> AgreementSamples | None:
    """Different items of the same kind, on which a run-time is held against eager torch."""
    from profiler.runtimes.deploy import AgreementSamples, runtime_of

    if runtime_of(target.model, arguments.runtime) == "eager" or given.item != "image":
        return None
    more = load_call(arguments, target, AGREEMENT_ITEMS)
    return AgreementSamples(inputs=more.inputs.unique(dim=0), description=more.description)


def _calibration(arguments: argparse.Namespace, target: Target) -> tuple[Tensor, ...]:
    """Training images for transforms that run the model, batch by batch."""
    from profiler.inputs import load_calibration

    item_shape = arguments.input_shape or target.input_shape or (3, 32, 32)
    return load_calibration(arguments.data or "digits", input_shape=item_shape, seed=arguments.seed)


def options_of(arguments: argparse.Namespace, batch_size: int) -> dict[str, Any]:
    """The arguments of a verb as JSON holds them, for `load_requests` in another process."""
    options = {**vars(arguments), "batch_size": batch_size}
    as_json: dict[str, Any] = json.loads(json.dumps(options, default=str))
    return as_json


def load_requests(options: dict[str, Any]) -> list[Request]:
    """What a verb is to prepare, from its arguments as JSON holds them; one a --model."""
    requests: list[Request] = []
    names = names_of(options["model"], options.get("name"))
    pairs = pairs_of(options["model"], options["checkpoint"])
    for name, (reference, checkpoint) in zip(names, pairs, strict=True):
        arguments = argparse.Namespace(**{**options, "model": reference})
        arguments.checkpoint = None if checkpoint is None else Path(checkpoint)
        arguments.input_shape = options["input_shape"] and tuple(options["input_shape"])
        loaded = load_target(arguments)
        for target in workloads_of(arguments, loaded):
            # One model may be several workloads, which say what they are behind its name.
            own = None if name is None else name + target.name.removeprefix(loaded.name)
            requests.append(_request(arguments, target, own or target.name))
    return requests


def _request(arguments: argparse.Namespace, target: Target, name: str) -> Request:
    from profiler.measurement.request import Request
    from profiler.values.profile import Workload

    given = load_call(arguments, target, arguments.batch_size)
    workload = Workload(
        model=arguments.model,
        device=arguments.device,
        data=given.description,
        checkpoint=None if arguments.checkpoint is None else arguments.checkpoint.name,
        class_count=arguments.classes,
        item=given.item,
    )
    return Request(
        model=target.model,
        inputs=given.inputs,
        name=name,
        device=arguments.device,
        dtype=_dtype(arguments, target),
        batch_size=given.item_count,
        channels_last=arguments.channels_last,
        runtime=arguments.runtime,
        agreement_on=load_samples(arguments, target, given),
        seed=arguments.seed,
        workload=workload,
    )


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


def names_of(references: list[str], names: list[str] | None) -> list[str | None]:
    """What the run of each model is to be called, by order; None for the model's own name.

    Raises:
        UsageError: there are names for some models only, one twice, or one that says nothing.
    """
    if not names:
        return [None] * len(references)
    if len(names) != len(references):
        raise UsageError(
            f"--name is given {len(names)} times and --model {len(references)} times",
            hint="give one name for each model, in the same order",
        )
    for name in names:
        if not name.strip() or names.count(name) > 1:
            raise UsageError(
                f"{name!r} tells no run from another", hint="give each --name a text of its own"
            )
    return list(names)
