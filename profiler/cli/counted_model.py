"""A reference, counted: what `stats` tells of a model and of the one it is put against."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from profiler.values.applied_transform import (
    AppliedTransform,
    quantized_from,
    score_by_ratio,
    score_of_variant,
    zero_share,
)

if TYPE_CHECKING:
    from profiler.counting import Costs
    from profiler.workload.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedModel:
    """A model, counted.

    Args:
        name: short name.
        costs: of one call.
        transforms: what made a variant of it.
        compressed_bytes: None where no weight is zero.
        score: by the counts as they are; None where a batch's MACs are not those of its items.
        score_by_ratio: by the counts before channels were removed; None where none were.
    """

    name: str
    costs: Costs
    transforms: tuple[AppliedTransform, ...]
    compressed_bytes: int | None
    score: float | None
    score_by_ratio: float | None


def count_reference(reference: str, arguments: argparse.Namespace) -> CountedModel:
    """Build what a reference names, and count one call of it; nothing is loaded or measured.

    Raises:
        ProfilerError: there is no such model, or it cannot be counted.
    """
    from profiler.counting import compressed_bytes
    from profiler.variants import build
    from profiler.workload.transformed import transforms_of

    target = build(reference, num_classes=arguments.classes)
    transforms = transforms_of(target.model)
    costs = _costs(target, transforms, arguments)
    quantized = quantized_from(transforms)
    if quantized is not None and quantized.parameter_count_before is not None:
        costs = replace(costs, parameter_count=quantized.parameter_count_before)
    macs, rest = divmod(costs.mac_count, arguments.batch_size)
    by_ratio = score_by_ratio(transforms)
    tensors = [*target.model.parameters(), *target.model.buffers()]
    return CountedModel(
        name=target.name,
        costs=costs,
        transforms=transforms,
        compressed_bytes=compressed_bytes(tensors) if zero_share(transforms) else None,
        score=None
        if rest
        else float(
            score_of_variant(transforms, parameter_count=costs.parameter_count, mac_count=macs)
        ),
        score_by_ratio=None if by_ratio is None else float(by_ratio),
    )


def _costs(
    target: Target, transforms: Sequence[AppliedTransform], arguments: argparse.Namespace
) -> Costs:
    import torch

    from profiler.counting import count, count_on_meta
    from profiler.workload.quantized import quantized_parts

    item_shape = arguments.input_shape or target.input_shape or (3, 32, 32)
    shape = (arguments.batch_size, *item_shape)
    model = target.model.eval()
    images = torch.zeros(()).expand(shape)  # takes no memory, however large
    if zero_share(transforms) or quantized_parts(model):
        with torch.no_grad():
            costs = count(model, images.contiguous())
    else:
        costs = count_on_meta(model, torch.empty(shape, device="meta"))
    if not arguments.second_opinion:
        return costs
    from profiler.counting.second_opinion import ask_fvcore

    return replace(costs, second_opinion=ask_fvcore(model, images, costs))
