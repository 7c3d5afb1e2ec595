"""LayerReport: what measuring the layers of a model gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .estimate import Estimate
from .findings import Finding
from .hardware import HardwareBest
from .layer_cost import LayerCost
from .units import show

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A module that lacks a number, by name, with the reason.

    Args:
        path: dotted path in the model.
        kind: class name.
        what: "time" where it has no row of its own, "energy" where its joules are unknown.
        reason: why, in words.
    """

    path: str
    kind: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """Time and joules of every module inside one call of the model, and how well they add up.

    Args:
        name: of the model.
        device: where it ran ("cpu", "cuda:0").
        device_name: the hardware as its vendor names it.
        dtype: "fp32", "bf16", "fp16", or the model's own.
        batch_size: items in the call; None where the inputs have no batch axis.
        method: "replay" (watts of each layer x its seconds) or "hooks" (share of time x joules).
        layers: a row a module, itself without its children, in the order of `named_modules`.
        outside: those rows whose module has children that ran: the work between them, which
            belongs to no leaf (additions, functional calls, Python). They are among `layers` too.
        latency_s: seconds of one call of the whole model, run without any instrument.
        energy_j: joules of one call of the whole model; None where no sensor saw it.
        latency_closure: (sum over `layers`) / `latency_s`.
        energy_closure: (sum over `layers`) / `energy_j`; None without joules. Layers without joules
            leave a hole in it.
        tool_cost_s: what the instrument adds to one call, known from empty modules and subtracted.
        observed_tool_cost_s: the same as the difference between runs with and without it.
        run_count: instrumented calls that were used.
        process_count: processes that made them, each by turns; the intervals of time hold how much
            these differ where there are several.
        input_shapes: of every tensor among the inputs, as text.
        data: what the inputs are; None where nobody said.
        threads: of torch on the CPU.
        left_out: modules that lack a number, each with the reason.
        hardware: best of the device that rows are compared with; None when not asked for.
        findings: what to know before trusting these numbers.
        stopped_by: "precision" or "budget".
        spent_s: how long it took.
    """

    name: str
    device: str
    device_name: str
    dtype: str
    batch_size: int | None
    method: str
    layers: tuple[LayerCost, ...]
    outside: tuple[LayerCost, ...]
    latency_s: Estimate
    energy_j: Estimate | None
    latency_closure: Estimate
    energy_closure: Estimate | None
    tool_cost_s: float
    observed_tool_cost_s: float
    run_count: int
    left_out: tuple[LeftOut, ...]
    hardware: HardwareBest | None
    findings: tuple[Finding, ...]
    stopped_by: str
    spent_s: float
    process_count: int = 1
    input_shapes: tuple[str, ...] = ()
    data: str | None = None
    threads: int | None = None

    def closure_finding(self) -> Finding:
        """How well the rows add up, for a record that keeps the rows alone."""
        parts = [f"{show(self.latency_closure)} of the time"]
        if self.energy_closure is not None:
            parts.append(f"{show(self.energy_closure)} of the joules")
        missing = f"; {len(self.left_out)} module(s) lack a number" if self.left_out else ""
        return Finding(
            kind="layers-closure",
            observed=f"the layers add up to {' and '.join(parts)} of the whole model{missing}",
            remedy="run `python -m profiler layers` for the reason of each" if missing else "",
        )

    def to_pandas(self) -> pandas.DataFrame:
        """One row a layer, units in the column names."""
        from .layer_table import layer_frame

        return layer_frame(self.layers)
