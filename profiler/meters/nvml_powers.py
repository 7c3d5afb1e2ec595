"""All the ways in which NVML tells the power of one GPU, side by side, for `doctor` to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType

from profiler.errors import SensorError

from .nvml_session import POWER_SCOPE_GPU, NvmlSession

INSTANT, AVERAGE, USAGE = "instant power field", "average power field", "power usage query"
FIELD_POWER_AVERAGE, FIELD_POWER_INSTANT = 185, 186
MILLIWATT_W = 1e-3


class GpuPowers:
    """The power readings of one GPU; a session of its own.

    Args:
        uuid: as NVML names it.
        library: the module `pynvml`, or a stand-in; imported if not given.
    """

    def __init__(self, uuid: str, library: ModuleType | None = None) -> None:
        self._session = NvmlSession(library)
        self._uuid = uuid

    def open(self) -> Mapping[str, Callable[[], float]]:
        """By name, what reads watts; those that this GPU offers. {} where NVML is not there."""
        if not self._session.open():
            return {}
        handle = self._session.ask("nvmlDeviceGetHandleByUUID", self._uuid)
        if handle is None:
            return {}
        reads: dict[str, Callable[[], float]] = {
            INSTANT: partial(self._field_w, handle, FIELD_POWER_INSTANT),
            AVERAGE: partial(self._field_w, handle, FIELD_POWER_AVERAGE),
            USAGE: partial(self._usage_w, handle),
        }
        return {name: read for name, read in reads.items() if _can(read)}

    def close(self) -> None:
        """Let go of NVML."""
        self._session.close()

    def _field_w(self, handle: object, field: int) -> float:
        return self._session.field_value(handle, field, POWER_SCOPE_GPU) * MILLIWATT_W

    def _usage_w(self, handle: object) -> float:
        return float(self._session.call("nvmlDeviceGetPowerUsage", handle)) * MILLIWATT_W


def _can(read: Callable[[], float]) -> bool:
    try:
        return read() > 0
    except SensorError:
        return False
