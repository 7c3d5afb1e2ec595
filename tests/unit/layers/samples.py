"""What the tests of this folder share: a known device, and a survey of any model."""

from __future__ import annotations

import torch
from torch import nn

from profiler.layers.survey import Survey, survey
from profiler.machine.device import Device
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.hardware import CopyRate, HardwareBest
from profiler.workload.prepared import prepare

CPU = Device(name="cpu", label="a CPU", identity=None, synchronize=lambda: None)


def rate(value: float, unit: str) -> Estimate:
    return stated(value, unit, Basis.MEASURED, "test")


def best_of_device(**changes: object) -> HardwareBest:
    """1 TFLOP/s in fp32, 100 GB/s from caches, 10 GB/s from memory, 1 us a call."""
    fields: dict[str, object] = {
        "device_name": "a CPU",
        "fingerprint": "f",
        "created_utc": "2026-01-01T00:00:00Z",
        "threads": 1,
        "flop_rates": {"fp32": rate(1e12, "FLOP/s")},
        "copy_rates": (
            CopyRate(footprint_bytes=1_000, rate=rate(1e11, "B/s")),
            CopyRate(footprint_bytes=1_000_000, rate=rate(1e10, "B/s")),
        ),
        "empty_call_s": rate(1e-6, "s"),
        "flop_energies_j": {"fp32": rate(1e-10, "J")},
        "byte_energy_j": rate(1e-9, "J"),
        "idle_power_w": rate(20.0, "W"),
        **changes,
    }
    return HardwareBest(**fields)  # type: ignore[arg-type]  # its own fields


def surveyed(model: nn.Module, inputs: object) -> Survey:
    bench = prepare(model, inputs, CPU)
    with torch.inference_mode():
        return survey(bench, "cpu")
