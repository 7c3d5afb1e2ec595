"""Exact counts of the very call that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from profiler.counting import Costs, SecondOpinion, count
from profiler.errors import MeasurementError
from profiler.values.estimate import Basis, Estimate, counted
from profiler.values.findings import (
    Finding,
    fourier_beside,
    macs_at_least,
    not_counted,
    second_count_differs,
)
from profiler.values.layer_cost import LayerCost
from profiler.values.score import efficiency_score
from profiler.workload.prepared import PreparedModel, map_tensors, tensors_in


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
        findings: what could not be counted, and where the second count differs.
    """

    parameter_count: Estimate
    mac_count: Estimate | None
    size_bytes: Estimate
    layers: tuple[LayerCost, ...]
    dtype: str
    findings: tuple[Finding, ...]

    def score(self, item_count: int | None) -> Estimate | None:
        """The efficiency score by the counts of one item."""
        if self.mac_count is None or self.mac_count.is_lower_bound:
            return None  # a lower bound makes no score
        if not item_count or self.mac_count.point % item_count:
            return None
        bits = 16 if self.dtype in ("bf16", "fp16") else 32
        return efficiency_score(
            parameter_count=int(self.parameter_count.point),
            mac_count=int(self.mac_count.point) // item_count,
            q_w=bits,
            q_a=bits,
        ).estimate()


def count_call(bench: PreparedModel) -> CallCounts:
    """Count the call of a workbench; a model that cannot be counted is measured all the same."""
    costs: Costs | None = None
    findings: tuple[Finding, ...] = ()
    try:
        with bench.mode():
            bench.renew()
            costs = count(bench.model, bench.inputs)
    except MeasurementError as error:
        findings = (not_counted(error.message),)
    mac_count = None
    if costs is not None and costs.uncounted_ops:
        mac_count = _at_least(costs)
        findings = (macs_at_least(costs.mac_count, costs.uncounted_ops),)
    elif costs is not None:
        second = _second_opinion(bench)
        mac_count = counted(costs.mac_count, "MAC", _source(second))
        if second is not None and second.verdict == "disagree":
            findings = (second_count_differs(second.source, second.differing_ops),)
    if costs is not None and costs.fourier_operation_count:
        findings += (fourier_beside(costs.fourier_operation_count),)
    tensors = {id(t): t for t in (*bench.model.parameters(), *bench.model.buffers())}
    parameter_count = sum(parameter.numel() for parameter in bench.model.parameters())
    return CallCounts(
        parameter_count=counted(parameter_count, "", "every parameter tensor once"),
        mac_count=mac_count,
        size_bytes=counted(
            sum(t.nbytes for t in tensors.values()), "B", "parameters and buffers as they ran"
        ),
        layers=costs.layers if costs is not None else (),
        dtype=bench.dtype,
        findings=findings,
    )


def _at_least(costs: Costs) -> Estimate:
    """A lower bound: no interval, and a source that says so."""
    return Estimate(
        point=costs.mac_count, low=None, high=None, unit="MAC", confidence=None,
        basis=Basis.COUNTED, source=f"at least: not counted is {', '.join(costs.uncounted_ops)}",
    )  # fmt: skip


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
