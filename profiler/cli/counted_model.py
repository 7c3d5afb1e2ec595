"""A reference, counted: what `stats` tells of a model and of the one it is put against."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from profiler.values.applied_transform import (
    AppliedTransform,
    quantized_from,
    score_by_ratio,
    score_of_variant,
    zero_share,
)

from .counted_call import count_target
from .decoding import workloads_of

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
        score: by the counts as they are; None where a batch's MACs are not those of its items, or a
            lower bound, and of a workload of decoding.
        score_by_ratio: by the counts before channels were removed; None where none were.
        batch_size: items in the call.
        input_shapes: shapes and types of its tensors, as text.
        device: "meta" or "cpu".
        refusal: why the meta device could not be used; None where it could, or was not asked.
    """

    name: str
    costs: Costs
    transforms: tuple[AppliedTransform, ...]
    compressed_bytes: int | None
    score: float | None
    score_by_ratio: float | None
    batch_size: int
    input_shapes: str
    device: str
    refusal: str | None


def count_reference(reference: str, arguments: argparse.Namespace) -> tuple[CountedModel, ...]:
    """Build what a reference names, and count one call of it; nothing is loaded or measured.

    With --cache-length it is two workloads, each counted.

    Raises:
        ProfilerError: there is no such model, or it cannot be counted.
    """
    from profiler.variants import build

    target = build(reference, num_classes=arguments.classes)
    return tuple(_counted(workload, arguments) for workload in workloads_of(arguments, target))


def _counted(target: Target, arguments: argparse.Namespace) -> CountedModel:
    from profiler.counting import compressed_bytes
    from profiler.workload.quantized import quantized_parts
    from profiler.workload.transformed import transforms_of

    transforms = transforms_of(target.model)
    needs_values = bool(zero_share(transforms) or quantized_parts(target.model))
    call = count_target(target, arguments, on_cpu=needs_values)
    costs = call.costs
    quantized = quantized_from(transforms)
    if quantized is not None and quantized.parameter_count_before is not None:
        costs = replace(costs, parameter_count=quantized.parameter_count_before)
    macs, rest = divmod(costs.mac_count, call.batch_size)
    by_ratio = score_by_ratio(transforms)
    tensors = [*target.model.parameters(), *target.model.buffers()]
    return CountedModel(
        name=target.name,
        costs=costs,
        transforms=transforms,
        compressed_bytes=compressed_bytes(tensors) if zero_share(transforms) else None,
        score=None
        if rest or costs.uncounted_ops or arguments.cache_length is not None
        else float(
            score_of_variant(transforms, parameter_count=costs.parameter_count, mac_count=macs)
        ),
        score_by_ratio=None if by_ratio is None else float(by_ratio),
        batch_size=call.batch_size,
        input_shapes=call.input_shapes,
        device=call.device,
        refusal=call.refusal,
    )
