"""A variant from its reference: the base model, its weights, and the transforms around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from torch import nn

from profiler.errors import CheckpointError, TransformError, UsageError
from profiler.values.applied_transform import AppliedTransform, bits_of
from profiler.workload.stated_accuracy import stated_model
from profiler.workload.target import Target, resolve
from profiler.workload.transformed import keep_transforms, left_to_runtime, transforms_of
from profiler.workload.weights import load_weights

from .apply import apply_all, finished, refreshed
from .ensemble import Ensemble
from .reference import Member, TransformCall, VariantReference, members_of, parse
from .sparsify import share_of_zeros
from .table import Stage, check, find

NOISE_SHAPE = (3, 32, 32)
NOISE_ITEMS = 8
LoadBatches = Callable[[Target], Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenWeights:
    """Weights for a variant.

    Args:
        name: of their file, for errors.
        reference: of the variant they were trained as; None where the file does not say.
        load: puts them into a model, or raises CheckpointError and leaves it as it was.
        class_count: outputs of the model they were trained in; None where the file does not say.
    """

    name: str
    reference: str | None
    load: Callable[[nn.Module], object]
    class_count: int | None = None


def weights_of(checkpoint: Path) -> GivenWeights:
    """The weights of any file that `profiler.workload.weights` reads."""
    stated = stated_model(checkpoint)
    return GivenWeights(
        name=str(checkpoint),
        reference=None if stated is None else stated.reference,
        load=lambda model: load_weights(model, checkpoint),
        class_count=None if stated is None else stated.class_count,
    )


def build(
    reference: str,
    *,
    num_classes: int | None = None,
    weights: GivenWeights | None = None,
    load_batches: LoadBatches | None = None,
    device: str = "cpu",
    for_training: bool = False,
    structure_only: bool = False,
    runtime: str | None = None,
    may_set_own: bool = False,
) -> Target:
    """Build the model that a reference names, with its transforms.

    Weights go in where they were trained: those of the base before all transforms, those of a
    variant after the transforms that their file states. A file that states nothing goes in where it
    first fits.

    Args:
        reference: a base model and transforms; see `reference.parse`.
        num_classes: handed to the base's factory; None for that of the weights, or its own default.
        weights: of the base, or of the variant up to some transform; None for fresh ones.
        load_batches: inputs of some calls of the base, for transforms that run it; None for noise.
        device: where it will run: "cpu", "cuda:0".
        for_training: whether it is to be trained.
        structure_only: whether a checkpoint's weights will come into it later.
        runtime: that will run it, where it is not torch: the precision is left to it then.
        may_set_own: whether the base's factory may set its own number of classes, see `resolve`.

    Raises:
        UsageError: an unknown transform, a value out of range, or an order that makes no sense.
        CheckpointError: the weights do not fit, or are those of another variant.
        TargetError, TransformError: there is no such base, or a transform cannot be applied.
    """
    wanted = parse(reference)
    check(wanted)
    if for_training:
        _check_training(wanted, has_weights=weights is not None or structure_only)
    target, is_trained = _base(
        wanted, num_classes, weights, load_batches, device, for_training, runtime, may_set_own
    )

    @cache
    def batches() -> Sequence[Any]:
        return _noise(target) if load_batches is None else load_batches(target)

    def go_on(model: nn.Module, calls: Sequence[TransformCall], *, is_trained: bool) -> nn.Module:
        return apply_all(
            model, calls, is_trained=is_trained, for_training=for_training, device=device,
            load_batches=batches, runtime=runtime,
        )  # fmt: skip

    model, done = target.model, 0
    if weights is not None:
        model, done = _with_weights(target.model, wanted, weights, go_on)
    model = go_on(model, wanted.transforms[done:], is_trained=is_trained)
    if not for_training and not structure_only:
        model = finished(model, device=device)
    name = "+".join((target.name, *map(str, wanted.transforms)))
    return replace(target, reference=reference, name=name, model=model)


def _base(
    wanted: VariantReference,
    num_classes: int | None,
    weights: GivenWeights | None,
    load_batches: LoadBatches | None,
    device: str,
    for_training: bool,
    runtime: str | None,
    may_set_own: bool,
) -> tuple[Target, bool]:
    """The model before all transforms, and whether it is or will be a trained one."""
    members = members_of(wanted.base)
    if members is None:
        target = resolve(
            wanted.base,
            num_classes=num_classes,
            stated_classes=None if weights is None else weights.class_count,
            may_set_own=may_set_own,
        )
        return target, weights is not None
    if weights is not None or for_training:
        raise UsageError(
            f"'{wanted.base}' has the weights of its members, and no others",
            hint="name a file behind each member: ensemble(A@FILE,B@FILE)",
        )
    target = _ensemble(wanted, members, num_classes, load_batches, device, runtime)
    return target, all(member.checkpoint is not None for member in members)


def _check_training(wanted: VariantReference, *, has_weights: bool) -> None:
    for call in wanted.transforms:
        found = find(call)
        if not found.trains:
            raise UsageError(
                f"a network cannot be trained in {call.name}: it is applied to trained weights",
                hint=f"train {quote(wanted.base)} (with --dtype for its arithmetic), then measure "
                f"{quote(f'{wanted.base}+{call}')}, or train +int8-qat",
            )
        if found.needs_weights and not has_weights:
            raise UsageError(
                f"{call} needs trained weights before it, and there are none",
                hint="name their checkpoint with --initial FILE",
            )


def _with_weights(
    model: nn.Module,
    wanted: VariantReference,
    weights: GivenWeights,
    go_on: Callable[..., nn.Module],
) -> tuple[nn.Module, int]:
    """The model with its weights, and how many of the transforms came before them."""
    first_error: CheckpointError | None = None
    done = 0
    for count in _places(wanted, weights):
        model = go_on(model, wanted.transforms[done:count], is_trained=False)
        done = count
        try:
            weights.load(model)
        except CheckpointError as error:
            first_error = first_error or error
        else:
            return refreshed(model), done
    assert first_error is not None
    raise first_error


def _places(wanted: VariantReference, weights: GivenWeights) -> list[int]:
    """After how many transforms the weights may go in."""
    if weights.reference is None:
        structural = [call for call in wanted.transforms if find(call).stage is Stage.STRUCTURE]
        return list(range(len(structural) + 1))
    stated = parse(weights.reference)
    count = len(stated.transforms)
    if wanted.transforms[:count] != stated.transforms:
        raise CheckpointError(
            f"'{weights.name}' holds weights of '{stated}', not of '{wanted}'",
            hint=f"give --model {quote(str(stated))}, or more transforms behind it",
        )
    return [count]


def _ensemble(
    wanted: VariantReference,
    members: Sequence[Member],
    num_classes: int | None,
    load_batches: LoadBatches | None,
    device: str,
    runtime: str | None,
) -> Target:
    targets = [
        build(
            member.reference,
            num_classes=num_classes,
            weights=None if member.checkpoint is None else weights_of(Path(member.checkpoint)),
            load_batches=load_batches,
            device=device,
            runtime=runtime,
        )
        for member in members
    ]
    models = [target.model for target in targets]
    if runtime is not None and any(left_to_runtime(model) for model in models):
        raise TransformError(
            f"{runtime} gives an ensemble one precision, and members of '{wanted.base}' name their "
            "own",
            hint="write the precision behind the ensemble: ensemble(A@FILE,B@FILE)+int8",
        )
    bits = {bits_of(transforms_of(model)) for model in models}
    if len(bits) > 1:
        raise TransformError(
            f"the members of '{wanted.base}' differ in precision, which no one number describes",
            hint="write the precision behind the ensemble: ensemble(A@FILE,B@FILE)+bf16",
        )
    shapes = {target.input_shape for target in targets} - {None}
    if len(shapes) > 1:
        raise TransformError(
            f"the members of '{wanted.base}' take images of different shapes: "
            f"{' and '.join(sorted(map(str, shapes)))}",
            hint="give members that take the same images",
        )
    (weight_bits, activation_bits), model = bits.pop(), Ensemble(models)
    is_set = any(transforms_of(member) for member in models)
    applied = AppliedTransform(
        name=f"ensemble of {len(models)}",
        weight_bits=weight_bits if is_set and weight_bits != 32 else None,
        activation_bits=activation_bits if is_set and weight_bits != 32 else None,
        p_u=share_of_zeros(model) if any(_zeros(member) for member in models) else 0.0,
        notes=tuple(
            dict.fromkeys(
                note for member in models for item in transforms_of(member) for note in item.notes
            )
        ),
    )
    keep_transforms(model, (applied,))
    name = "ensemble-" + "-".join(target.name for target in targets)
    return Target(
        reference=str(wanted), name=_short(name), model=model,
        input_shape=next(iter(shapes), None),
    )  # fmt: skip


def _zeros(model: nn.Module) -> bool:
    return any(item.p_u for item in transforms_of(model))


def _short(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=+_-]+", "-", name)


def _noise(target: Target) -> list[Any]:
    """Inputs where the caller has none: they give shapes, and no calibration that is of use."""
    shape = target.input_shape or NOISE_SHAPE
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(NOISE_ITEMS, *shape, generator=generator)]
