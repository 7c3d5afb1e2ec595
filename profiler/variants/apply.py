"""Transforms, one after the other, on a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from torch import nn

from profiler.errors import TransformError, UsageError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line
from profiler.workload.transformed import keep_transforms, transforms_of

from .ensemble import Ensemble
from .material import Material
from .reference import TransformCall, VariantReference, parse
from .sparsify import share_of_zeros
from .table import Stage, check, find, value_of


def transform(model: nn.Module, transforms: str, *, data: Any = None) -> nn.Module:
    """A variant of a model; the one that is given stays as it is.

    Args:
        model: any module, with the weights that the variant is to begin from.
        transforms: as a reference writes them after the model: "prune=0.5+int8".
        data: inputs of one call as `profiler.measure` takes them, or a list of such, for transforms
            that run the model: the first is enough for `prune`; `int8` is calibrated on all.

    Returns:
        A module that is called like the model. `profiler.measure` knows what was done to it.

    Raises:
        UsageError: an unknown transform, a value out of range, or an order that makes no sense.
        TransformError: one cannot be applied to this model, or what it needs is not installed.
    """
    calls = parse(f":model+{transforms}").transforms
    check(VariantReference(base="model", transforms=calls))
    try:
        twin = copy.deepcopy(model)
    # Any object inside may refuse, each in its own way.
    except Exception as error:
        heed_interruption(error)
        raise TransformError(f"the model cannot be copied ({one_line(error)})") from error
    batches = data if isinstance(data, list) else [] if data is None else [data]
    place = next(iter([*model.parameters(), *model.buffers()]), torch.empty(0)).device
    transformed = apply_all(
        twin.eval(), calls, is_trained=True, device=str(place), load_batches=lambda: batches
    )
    return finished(transformed, device=str(place))


def apply_all(
    model: nn.Module,
    calls: Sequence[TransformCall],
    *,
    is_trained: bool,
    for_training: bool = False,
    device: str = "cpu",
    load_batches: Callable[[], Sequence[Any]] | None = None,
) -> nn.Module:
    """Apply checked transforms.

    Args:
        model: may be changed in place.
        calls: in their order.
        is_trained: whether the weights mean something.
        for_training: whether the result is to be trained, or to take a checkpoint's weights.
        device: where it will run.
        load_batches: inputs, for transforms that run the model.

    Raises:
        UsageError, TransformError: as `transform`.
    """
    for call in calls:
        found = find(call)
        _check_ensemble(model, call)
        material = Material(
            name=str(call), is_trained=is_trained, for_training=for_training, device=device,
            load_batches=load_batches,
        )  # fmt: skip
        for package in found.packages:
            material.needs(package)
        before = transforms_of(model)
        apply = import_module(f".{found.home}", __package__).apply
        model, applied = apply(model, value_of(call), material)
        keep_transforms(model, (*before, applied))
    return model


def _check_ensemble(model: nn.Module, call: TransformCall) -> None:
    if isinstance(model, Ensemble) and find(call).stage is Stage.STRUCTURE:
        raise UsageError(
            f"{call} changes the structure of each member, not of their ensemble",
            hint=f"write it behind the members: ensemble(A+{call}@FILE,B@FILE)",
        )


def refreshed(model: nn.Module) -> nn.Module:
    """The model with its share of zeros counted anew, after weights were loaded into it."""
    keep_transforms(
        model,
        [
            replace(item, p_u=share_of_zeros(model)) if item.p_u else item
            for item in transforms_of(model)
        ],
    )
    return model


def finished(model: nn.Module, *, device: str) -> nn.Module:
    """The model as it is deployed: what only rounded while it learned has integers and kernels.

    Raises:
        TransformError: there are none on the device.
    """
    from .int8_qat import RoundedModule, finish

    if not isinstance(model, RoundedModule):
        return model
    *before, applied = transforms_of(model)
    material = Material(name=applied.name, is_trained=True, device=device)
    quantized, applied = finish(model, applied, material)
    keep_transforms(quantized, (*before, applied))
    return quantized
