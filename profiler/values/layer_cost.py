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
        time_share: of the seconds of all rows together, where it was measured: steadier than the
            seconds themselves, as what slows all rows alike cancels in it.
        floor_s: seconds that this device cannot go below for it; None without a calibration.
        floor_j: joules that it cannot go below; None without a sensor at the calibration.
        bound: what sets that floor: "compute", "memory" or "overhead"; None without one.
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
    time_share: Estimate | None = None
    floor_s: float | None = None
    floor_j: float | None = None
    bound: str | None = None

    @property
    def moved_bytes(self) -> int:
        """Read and written, unfused."""
        return self.read_bytes + self.written_bytes

    @property
    def macs_per_byte(self) -> float | None:
        """Arithmetic intensity over unfused traffic; None where nothing moved."""
        return self.mac_count / self.moved_bytes if self.moved_bytes else None

    @property
    def achieved_share(self) -> float | None:
        """Floor over latency: 1 where the layer runs as fast as this device can."""
        if self.floor_s is None or self.latency_s is None or self.latency_s.point <= 0:
            return None
        return self.floor_s / self.latency_s.point

    @property
    def joules_per_mac(self) -> Estimate | None:
        """Its joules over its MACs; None where it has none of either."""
        if self.energy_j is None or not self.mac_count or self.uncounted_ops:
            return None
        return self.energy_j.scaled(1 / self.mac_count, "J")
