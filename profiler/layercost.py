"""The cost of one layer: the row that the counter fills and every report prints."""

from __future__ import annotations

from dataclasses import dataclass

from .estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """What one module costs by itself, its children not included.

    Args:
        path: dotted path in the model, as `named_modules` gives it; "" is the model itself.
        kind: class name of the module.
        call_count: times it ran in one call of the model.
        parameter_count: its own parameters, each shared tensor once in the whole model.
        mac_count: multiply-accumulates of one call of the model.
        read_bytes: bytes its operators read, parameters included (unfused traffic).
        written_bytes: bytes its operators write (unfused traffic).
        uncounted_ops: operators that may multiply but have no formula; () when all are known.
        effective_mac_count: MACs whose weight is not zero; None when not looked at.
        latency_s: seconds inside one call of the model, where it was measured.
        energy_j: joules inside one call of the model, where it was measured.
    """

    path: str
    kind: str
    call_count: int
    parameter_count: int
    mac_count: int
    read_bytes: int
    written_bytes: int
    uncounted_ops: tuple[str, ...] = ()
    effective_mac_count: int | None = None
    latency_s: Estimate | None = None
    energy_j: Estimate | None = None
