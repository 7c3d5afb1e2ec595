"""What NVML says about a GPU besides its energy. Reads only: no setting is ever changed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any

from profiler.errors import SensorError

from .nvml_session import NvmlSession, text
from .pci import PCI_ADDRESS

# Bits of nvmlClocksEventReasons, by their values in nvml.h.
EVENT_REASONS: tuple[tuple[int, str], ...] = (
    (0x001, "idle"),
    (0x002, "application clocks"),
    (0x004, "power cap"),
    (0x008, "hardware slowdown"),
    (0x010, "sync boost"),
    (0x020, "thermal slowdown (software)"),
    (0x040, "thermal slowdown (hardware)"),
    (0x080, "power brake"),
    (0x100, "display clocks"),
)
CLOCK_SM, CLOCK_MEMORY, TEMPERATURE_GPU = 1, 2, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """A GPU at one instant; None for whatever this driver does not tell.

    Args:
        event_reasons: why the clocks are what they are; () when nothing holds them down.
    """

    name: str | None = None
    driver: str | None = None
    pci_id: str | None = None
    power_limit_w: float | None = None
    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    temperature_c: int | None = None
    event_reasons: tuple[str, ...] | None = None
    is_persistent: bool | None = None
    is_mig: bool | None = None

    def as_text(self) -> dict[str, str]:
        """The facts that are known, as flat text under their names."""
        known = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: _as_text(value) for name, value in known.items() if value is not None}


def gpu_facts(identity: str, *, library: ModuleType | None = None) -> GpuFacts:
    """Facts about the GPU with this UUID, with or without the "GPU-" that NVML writes before it.

    All None where there is no NVML, or no such GPU: these facts accompany a measurement, and their
    absence must not end it. For a GPU named by its PCI address NVML is not opened at all.
    """
    if PCI_ADDRESS.fullmatch(identity):
        return GpuFacts()
    session = NvmlSession(library)
    try:
        if not session.open():
            return GpuFacts()
    except SensorError:
        return GpuFacts()
    try:
        handle = _handle(session, identity)
        return GpuFacts() if handle is None else _facts(session, handle)
    finally:
        session.close()


def _handle(session: NvmlSession, identity: str) -> Any | None:
    wanted = identity.removeprefix("GPU-")
    for index in range(int(session.ask("nvmlDeviceGetCount") or 0)):
        handle = session.ask("nvmlDeviceGetHandleByIndex", index)
        if handle is None:
            continue
        uuid = text(session.ask("nvmlDeviceGetUUID", handle)) or ""
        if uuid.removeprefix("GPU-") == wanted:
            return handle
    return None


def _facts(session: NvmlSession, handle: Any) -> GpuFacts:
    ask = session.ask
    limit_mw = ask("nvmlDeviceGetEnforcedPowerLimit", handle)
    pci = ask("nvmlDeviceGetPciInfo", handle)
    mig_mode = ask("nvmlDeviceGetMigMode", handle)
    persistence = ask("nvmlDeviceGetPersistenceMode", handle)
    return GpuFacts(
        name=text(ask("nvmlDeviceGetName", handle)),
        driver=text(ask("nvmlSystemGetDriverVersion")),
        pci_id=None if pci is None else text(pci.busId),
        power_limit_w=None if limit_mw is None else limit_mw / 1000,
        sm_clock_mhz=ask("nvmlDeviceGetClockInfo", handle, CLOCK_SM),
        memory_clock_mhz=ask("nvmlDeviceGetClockInfo", handle, CLOCK_MEMORY),
        temperature_c=ask("nvmlDeviceGetTemperature", handle, TEMPERATURE_GPU),
        event_reasons=_event_reasons(session, handle),
        is_persistent=None if persistence is None else bool(persistence),
        is_mig=None if not mig_mode else bool(mig_mode[0]),
    )


def _event_reasons(session: NvmlSession, handle: Any) -> tuple[str, ...] | None:
    bits = session.ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
    if bits is None:
        bits = session.ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    if bits is None:
        return None
    return tuple(reason for bit, reason in EVENT_REASONS if bits & bit)


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
