"""Whether a device can time layers, and whether a model has any."""

from __future__ import annotations

from profiler.errors import UsageError
from profiler.machine.device import Device, find_device
from profiler.workload.prepared import PreparedModel


def timed_device(name: str) -> Device:
    """The device, if torch can time layers on it."""
    found = find_device(name)
    if found.name.startswith("xpu"):
        raise UsageError(
            f"layers cannot be timed on {found.name}: they are replayed as CUDA graphs",
            hint="`measure` measures the whole model on it; layers need --device cpu or cuda",
        )
    return found


def with_layers(bench: PreparedModel) -> PreparedModel:
    """The model that was laid out, if it has layers to look into."""
    if bench.is_compiled:
        raise UsageError(
            f"a model that runs compiled to {bench.dtype} is one piece without layers",
            hint="measure the layers of the network before it was quantized",
        )
    return bench
