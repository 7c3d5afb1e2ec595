"""What a device does at its best, as measured: the roof over every layer, and the floor under it.

A layer that multiplies `m` times and moves `b` bytes can take no less than the longest of
2 m / (FLOP/s of a matrix product), b / (bytes/s of a copy) and (calls x seconds of an empty call):
Williams et al., Communications of the ACM 52(4), 2009, p. 65. The same holds for joules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .estimate import Estimate

COMPUTE, MEMORY, OVERHEAD = "compute", "memory", "overhead"
FLOPS_A_MAC = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRate:
    """Bytes read and written in a second by a copy that touches `footprint_bytes` altogether."""

    footprint_bytes: int
    rate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What a layer cannot go below on this device.

    Args:
        latency_s: seconds of one call of the model.
        energy_j: gross joules; None where no sensor saw the calibration.
        bound: which of the three roofs it is: "compute", "memory" or "overhead".
    """

    latency_s: float
    energy_j: float | None
    bound: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareBest:
    """The best that was seen of one device with one software and one number of threads.

    Args:
        device_name: as its vendor names it.
        fingerprint: of hardware, driver and software.
        created_utc: when it was measured.
        threads: CPU threads of torch.
        flop_rates: FLOP/s of a matrix product, by dtype ("fp32", "bf16", "fp16").
        copy_rates: bytes/s, from the smallest footprint (caches) to the largest (memory).
        empty_call_s: seconds of calling a module with one operator on one element.
        flop_energies_j: gross joules of a FLOP at that rate, by dtype; empty without a sensor.
        byte_energy_j: gross joules of a byte at the rate of memory; None without a sensor.
        idle_power_w: with the device's context open; None without a sensor.
    """

    device_name: str
    fingerprint: str
    created_utc: str
    threads: int
    flop_rates: Mapping[str, Estimate]
    copy_rates: tuple[CopyRate, ...]
    empty_call_s: Estimate
    flop_energies_j: Mapping[str, Estimate]
    byte_energy_j: Estimate | None
    idle_power_w: Estimate | None

    def copy_rate(self, moved_bytes: int) -> float:
        """Best bytes/s seen for so many bytes: those of a cache where they fit into one."""
        reach = [item for item in self.copy_rates if item.footprint_bytes <= moved_bytes]
        first = self.copy_rates.index(reach[-1]) if reach else 0
        return max(item.rate.point for item in self.copy_rates[first:])

    def floor(
        self, *, mac_count: int, moved_bytes: int, call_count: int, dtype: str
    ) -> Floor | None:
        """The floor of a layer; None for a dtype that was not measured.

        Args:
            mac_count: multiply-accumulates of all its calls.
            moved_bytes: read and written by all its calls, unfused.
            call_count: calls in one call of the model.
            dtype: in which it multiplies.
        """
        flop_rate = self.flop_rates.get(dtype)
        if flop_rate is None:
            return None
        calls = max(1, call_count)
        roofs = {
            COMPUTE: FLOPS_A_MAC * mac_count / flop_rate.point,
            MEMORY: moved_bytes / self.copy_rate(moved_bytes // calls),
            OVERHEAD: call_count * self.empty_call_s.point,
        }
        bound = max(roofs, key=lambda name: roofs[name])
        return Floor(
            latency_s=roofs[bound],
            energy_j=self._floor_j(mac_count, moved_bytes, dtype),
            bound=bound,
        )

    def _floor_j(self, mac_count: int, moved_bytes: int, dtype: str) -> float | None:
        """The dearer of its arithmetic and its traffic; from a cache the traffic costs less."""
        flop_energy_j = self.flop_energies_j.get(dtype)
        if flop_energy_j is None or self.byte_energy_j is None:
            return None
        slowest = self.copy_rates[-1].rate.point
        cheaper = min(1.0, slowest / self.copy_rate(moved_bytes))
        return max(
            FLOPS_A_MAC * mac_count * flop_energy_j.point,
            moved_bytes * self.byte_energy_j.point * cheaper,
        )
