"""The counter's rows, with the time and the joules that were measured, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from profiler.counting import Costs, Rules, count
from profiler.errors import MeasurementError
from profiler.values.counting_findings import counted_by_rules, fourier_beside, macs_at_least
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.hardware import HardwareBest
from profiler.values.layer_cost import LayerCost

from .joules import seconds_of, share_of
from .survey import Survey
from .trimmed_mean import Summary

NOT_COUNTED = "not counted"


def counted_rows(
    survey: Survey, rules: Rules | None = None
) -> tuple[tuple[LayerCost, ...], tuple[Finding, ...]]:
    """A row a module that ran or owns parameters, in the order of `named_modules`.

    The counter runs fused encoder layers, compiled and scripted code operator by operator; what it
    finds below a module that ran as one piece is added to that module's row.
    """
    try:
        costs = count(survey.model, survey.fresh(), rules=rules)
    except MeasurementError as error:
        finding = Finding(
            kind="not-counted",
            observed=f"MACs and bytes are missing: {error.message}",
            remedy="time and joules are measured all the same",
        )
        return tuple(_blank(survey, position) for position in survey.called), (finding,)
    counted = {layer.path: layer for layer in costs.layers}
    ran = {survey.paths[position] for position in survey.called}
    extra: dict[str, list[LayerCost]] = {}
    for layer in costs.layers:
        if layer.path not in ran:
            extra.setdefault(_nearest(layer.path, ran), []).append(layer)
    rows = []
    for position, path in enumerate(survey.paths):
        own = counted.get(path)
        if path in ran:
            rows.append(_joined(own or _blank(survey, position, ()), extra.get(path, [])))
        elif own is not None and own.parameter_count:
            rows.append(_emptied(own))
    return tuple(rows), _not_counted(costs, rows)


def _not_counted(costs: Costs, rows: Sequence[LayerCost]) -> tuple[Finding, ...]:
    """What the counter knows to have missed and no row says, and what it counts beside MACs."""
    said = {name for row in rows for name in row.uncounted_ops}
    missed = tuple(name for name in costs.uncounted_ops if name not in said)
    return (
        *((counted_by_rules(costs.rules),) if costs.rules else ()),
        *((macs_at_least(costs.mac_count, missed),) if missed else ()),
        *(
            (fourier_beside(costs.fourier_operation_count),)
            if costs.fourier_operation_count
            else ()
        ),
    )


def _blank(survey: Survey, position: int, uncounted: tuple[str, ...] = (NOT_COUNTED,)) -> LayerCost:
    module: nn.Module = survey.modules[position]
    return LayerCost(
        path=survey.paths[position],
        kind=type(module).__name__,
        call_count=sum(call.position == position for call in survey.calls),
        parameter_count=sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        mac_count=0,
        read_bytes=0,
        written_bytes=0,
        uncounted_ops=uncounted,
    )


def _nearest(path: str, ran: set[str]) -> str:
    while path and path not in ran:
        path = path.rpartition(".")[0]
    return path


def _joined(row: LayerCost, extra: Sequence[LayerCost]) -> LayerCost:
    """A row with the work, not the parameters, of rows that ran inside it unseen."""
    if not extra:
        return row
    effective = [layer.effective_mac_count for layer in (row, *extra)]
    known = [value for value in effective if value is not None]
    names = (*row.uncounted_ops, *(name for layer in extra for name in layer.uncounted_ops))
    return replace(
        row,
        mac_count=row.mac_count + sum(layer.mac_count for layer in extra),
        read_bytes=row.read_bytes + sum(layer.read_bytes for layer in extra),
        written_bytes=row.written_bytes + sum(layer.written_bytes for layer in extra),
        uncounted_ops=tuple(dict.fromkeys(names)),
        effective_mac_count=sum(known) if len(known) == len(effective) else None,
    )


def _emptied(row: LayerCost) -> LayerCost:
    """A module that owns parameters and was never called: another one computes with them."""
    return replace(
        row, call_count=0, mac_count=0, read_bytes=0, written_bytes=0, uncounted_ops=(),
        effective_mac_count=None,
    )  # fmt: skip


def measured_rows(
    rows: Sequence[LayerCost],
    survey: Survey,
    summary: Summary,
    joules: dict[int, Estimate | None],
    hardware: HardwareBest | None,
    dtype: str,
) -> tuple[LayerCost, ...]:
    """The same rows with seconds, joules, and what they could not go below."""
    positions = {survey.paths[position]: position for position in survey.called}
    source = "stamps around each call inside whole-model runs, their cost subtracted"
    filled = []
    for row in rows:
        position = positions.get(row.path)
        if position is None:
            filled.append(row)
            continue
        latency_s = seconds_of(
            float(summary.rows_s[position]), float(summary.rows_half_s[position]), source
        )
        time_share = share_of(
            float(summary.shares[position]), float(summary.shares_half[position]), source
        )
        measured = replace(
            row, latency_s=latency_s, energy_j=joules.get(position), time_share=time_share
        )
        filled.append(replace(measured, **_floor(measured, hardware, dtype)))
    return tuple(filled)


def _floor(row: LayerCost, hardware: HardwareBest | None, dtype: str) -> dict[str, Any]:
    if hardware is None or row.uncounted_ops:
        return {}
    floor = hardware.floor(
        mac_count=row.mac_count,
        moved_bytes=row.read_bytes + row.written_bytes,
        call_count=row.call_count,
        dtype=dtype,
    )
    if floor is None:
        return {}
    return {
        "floor_s": floor.latency_s,
        "floor_j": floor.energy_j,
        "bound": floor.bound,
    }


def outside_rows(rows: Sequence[LayerCost], survey: Survey) -> tuple[LayerCost, ...]:
    """Rows of modules that called others: the work between these calls."""
    inner = {survey.paths[call.position] for call in survey.calls if call.child_count}
    return tuple(row for row in rows if row.path in inner and row.latency_s is not None)
