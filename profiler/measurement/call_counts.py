"""Exact counts of the very call that is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from profiler.counting import Costs, Rules, SecondOpinion, compressed_bytes, count
from profiler.errors import MeasurementError
from profiler.values.applied_transform import (
    AppliedTransform,
    quantized_from,
    score_by_ratio,
    score_of_variant,
    zero_share,
)
from profiler.values.counting_findings import (
    counted_by_rules,
    fourier_beside,
    macs_at_least,
    not_counted,
    second_count_differs,
)
from profiler.values.estimate import Basis, Estimate, counted
from profiler.values.findings import Finding
from profiler.values.layer_cost import LayerCost
from profiler.values.score import BITS, REFERENCE_BITS
from profiler.workload.prepared import PreparedModel, map_tensors, tensors_in
from profiler.workload.transformed import transforms_of

COMPRESSED = "parameters and buffers, compressed by zlib"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """What one call costs by the definition of its operators.

    Args:
        parameter_count: every parameter tensor once.
        mac_count: multiply-accumulates of the call; without an interval where an operator has no
            formula, because it is a lower bound then. None where nothing could be counted.
        size_bytes: parameters and buffers as they ran.
        layers: the same, layer by layer; () where the model cannot be counted at all.
        dtype: of the call.
        transforms: what made the model a variant.
        effective_mac_count: those whose weight is not zero; None where no transform made any so.
        compressed_bytes: of parameters and buffers; None as for `effective_mac_count`.
        findings: what could not be counted, and where the second count differs.
    """

    parameter_count: Estimate
    mac_count: Estimate | None
    size_bytes: Estimate
    layers: tuple[LayerCost, ...]
    dtype: str
    findings: tuple[Finding, ...]
    transforms: tuple[AppliedTransform, ...] = ()
    effective_mac_count: Estimate | None = None
    compressed_bytes: Estimate | None = None

    def score(self, item_count: int | None) -> Estimate | None:
        """The efficiency score by the counts of one item."""
        if self.mac_count is None or self.mac_count.low is None:
            return None  # neither a lower bound nor the caller's word makes a score
        if not item_count or self.mac_count.point % item_count:
            return None
        return score_of_variant(
            self.transforms,
            parameter_count=int(self.parameter_count.point),
            mac_count=int(self.mac_count.point) // item_count,
            default_bits=BITS.get(self.dtype, REFERENCE_BITS),
        ).estimate()

    def score_by_ratio(self) -> Estimate | None:
        """The score by the counts before channels were removed; None where none were."""
        score = score_by_ratio(self.transforms, default_bits=BITS.get(self.dtype, REFERENCE_BITS))
        return None if score is None else counted(float(score), "", "p_s on the counts before it")


def count_call(bench: PreparedModel, rules: Rules | None = None) -> CallCounts:
    """Count the call of a workbench; a model that cannot be counted is measured all the same.

    Args:
        bench: the model, prepared.
        rules: as for `profiler.count`.
    """
    costs: Costs | None = None
    findings: tuple[Finding, ...] = ()
    try:
        with bench.mode():
            bench.renew()
            costs = count(bench.model, bench.inputs, rules=rules)
    except MeasurementError as error:
        findings = (not_counted(error.message),)
    mac_count = None
    if costs is not None and costs.uncounted_ops:
        mac_count = _at_least(costs)
        findings = (macs_at_least(costs.mac_count, costs.uncounted_ops),)
    elif costs is not None and costs.rules:
        mac_count = _by_rules(costs)
    elif costs is not None:
        second = _second_opinion(bench)
        mac_count = counted(costs.mac_count, "MAC", _source(second))
        if second is not None and second.verdict == "disagree":
            findings = (second_count_differs(second.source, second.differing_ops),)
    if costs is not None and costs.rules:
        findings += (counted_by_rules(costs.rules),)
    if costs is not None and costs.fourier_operation_count:
        findings += (fourier_beside(costs.fourier_operation_count),)
    tensors = {id(t): t for t in (*bench.model.parameters(), *bench.model.buffers())}
    transforms = transforms_of(bench.model)
    return CallCounts(
        parameter_count=_parameter_count(bench.model, transforms),
        mac_count=mac_count,
        size_bytes=counted(
            sum(t.nbytes for t in tensors.values()), "B", "parameters and buffers as they ran"
        ),
        layers=costs.layers if costs is not None else (),
        dtype=bench.dtype,
        findings=findings,
        transforms=transforms,
        **(_sparse_counts(costs, tensors.values()) if zero_share(transforms) else {}),
    )


def _at_least(costs: Costs) -> Estimate:
    """A lower bound: no interval, and a source that says so."""
    return Estimate(
        point=costs.mac_count, low=None, high=None, unit="MAC", confidence=None,
        basis=Basis.COUNTED, source=f"at least: not counted is {', '.join(costs.uncounted_ops)}",
    )  # fmt: skip


def _by_rules(costs: Costs) -> Estimate:
    """No exact count any more: part of it is the caller's word."""
    return Estimate(
        point=costs.mac_count, low=None, high=None, unit="MAC", confidence=None,
        basis=Basis.ASSUMED, source=f"operators of one call, but {', '.join(costs.rules)}",
    )  # fmt: skip


def _parameter_count(model: nn.Module, transforms: Sequence[AppliedTransform]) -> Estimate:
    quantized = quantized_from(transforms)
    if quantized is None or quantized.parameter_count_before is None:
        count = sum(parameter.numel() for parameter in model.parameters())
        return counted(count, "", "every parameter tensor once")
    source = f"every parameter tensor once, of the network that {quantized.name} quantized"
    return counted(quantized.parameter_count_before, "", source)


def _sparse_counts(costs: Costs | None, tensors: Iterable[torch.Tensor]) -> dict[str, Estimate]:
    """What zeros would save hardware and files that are made for them."""
    found = {"compressed_bytes": counted(compressed_bytes(tensors), "B", COMPRESSED)}
    if costs is not None and costs.effective_mac_count is not None:
        found["effective_mac_count"] = counted(
            costs.effective_mac_count, "MAC", "MACs whose weight is not zero; all of them ran"
        )
    return found


def _second_opinion(bench: PreparedModel) -> SecondOpinion | None:
    """An independent count of the same model, on one item: its formulas do not know the batch."""

    def first_item(tensor: torch.Tensor) -> torch.Tensor:
        is_batch = tensor.ndim > 0 and tensor.shape[0] == bench.batch_size
        return tensor[:1] if is_batch else tensor

    if any(tensor.is_nested for tensor in tensors_in(bench.inputs)):
        return None
    one_item: Any = map_tensors(first_item, bench.inputs)
    try:
        with bench.mode():
            return count(bench.model, one_item, second_opinion=True).second_opinion
    except MeasurementError:
        return None  # a model that takes no single item: the count of the batch stands alone


def _source(second: SecondOpinion | None) -> str:
    source = "operators of one call, each by its formula"
    if second is None or second.verdict == "unavailable":
        return source
    return f"{source}; {second.source} {second.verdict}s"
