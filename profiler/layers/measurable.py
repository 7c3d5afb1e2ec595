"""Whether a device can time layers."""

from __future__ import annotations

from profiler.errors import UsageError
from profiler.machine.device import Device, find_device


def timed_device(name: str) -> Device:
    """The device, if torch can time layers on it."""
    found = find_device(name)
    if found.name.startswith("xpu"):
        raise UsageError(
            f"layers cannot be timed on {found.name}: they are replayed as CUDA graphs",
            hint="`measure` measures the whole model on it; layers need --device cpu or cuda",
        )
    return found
