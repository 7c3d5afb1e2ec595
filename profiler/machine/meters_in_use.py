"""The sensors that a ledger reads: those of the devices in use, and CodeCarbon beside them."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.meters import METERS, OpenedMeters, OpenMeter, open_meters
from profiler.values.trace import Channel

from .device import Device

GPU = "gpu"


def open_sensors(devices: Sequence[str] | None) -> OpenedMeters:
    """Open every sensor that this process may see, and CodeCarbon's model in any case.

    Where a sensor reads the CPU the model is a second opinion, which counts in no total.

    Args:
        devices: the GPUs in use ("gpu:0", ...); None for all. What belongs to the host always
            counts.
    """
    opened = open_meters([name for name, _, _ in METERS])
    return OpenedMeters(in_use(opened.meters, devices), opened.findings)


def in_use(meters: Sequence[OpenMeter], devices: Sequence[str] | None) -> list[OpenMeter]:
    """The meters without the channels of GPUs that are not in use."""
    if devices is None:
        return list(meters)
    kept = [
        (meter, tuple(channel for channel in channels if _is_used(channel, devices)))
        for meter, channels in meters
    ]
    return [(meter, channels) for meter, channels in kept if channels]


def _is_used(channel: Channel, devices: Sequence[str]) -> bool:
    root = channel.device.partition("/")[0]
    return root.partition(":")[0] != GPU or root in devices


def meters_of_device(meters: Sequence[OpenMeter], device: Device) -> Sequence[OpenMeter]:
    """The meters without GPUs that do none of the work; all where none knows a slice of a GPU."""
    own = {
        channel.device
        for _, channels in meters
        for channel in channels
        if device.is_gpu and channel.identity == device.identity
    }
    return meters if device.is_gpu and not own else in_use(meters, [*own])
