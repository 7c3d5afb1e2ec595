"""Who reads a window: this program, a difference of two counter reads, Zeus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from profiler.errors import SensorError
from profiler.interruption import heed_interruption
from profiler.machine.device import Device
from profiler.meters import OpenMeter
from profiler.recording.recording import Recording
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.plain_text import one_line
from profiler.values.trace import Channel, ChannelKind

OURS, COUNTER, ZEUS = "wattprof", "difference of two counter reads", "Zeus"


class Reader(Protocol):
    """Somebody who reads windows."""

    def begin(self, name: str) -> None: ...

    def end(self, name: str) -> None: ...

    def energy_j(self, name: str) -> Estimate | None: ...


class Ours:
    """A recording, read once it has stopped."""

    def __init__(self, recording: Recording, device: Device) -> None:
        self._recording = recording
        self._identity = device.identity

    def begin(self, name: str) -> None:
        self._recording.begin(name)

    def end(self, name: str) -> None:
        self._recording.end(name)

    def energy_j(self, name: str) -> Estimate | None:
        window = self._recording[name]
        own = [trace.channel for trace in self._recording.traces]
        devices = {channel.device for channel in own if channel.identity == self._identity}
        if self._identity is None:
            return window.energy_j
        found = [window.channels[device] for device in devices if device in window.channels]
        return found[0].energy_j if found else None


class CounterDifference:
    """What the counter shows when a window opens, taken from what it shows when it closes."""

    def __init__(self, opened: OpenMeter, channel: Channel) -> None:
        self._meter, self._channel = opened[0], channel
        self._seen: dict[str, list[float | None]] = {}

    def begin(self, name: str) -> None:
        self._seen[name] = [self._read()]

    def end(self, name: str) -> None:
        self._seen[name].append(self._read())

    def energy_j(self, name: str) -> Estimate | None:
        first_j, last_j = self._seen[name]
        if first_j is None or last_j is None:
            return None
        return stated(last_j - first_j, "J", Basis.MEASURED, f"{COUNTER}, {self._channel.source}")

    def _read(self) -> float | None:
        try:
            return self._meter.read(self._channel)
        except SensorError:
            return None


class Zeus:
    """Zeus' own monitor of one GPU."""

    def __init__(self, monitor: Any, index: int) -> None:
        self._monitor, self._index = monitor, index
        self._seen: dict[str, float] = {}

    def begin(self, name: str) -> None:
        self._monitor.begin_window(name)

    def end(self, name: str) -> None:
        self._seen[name] = float(self._monitor.end_window(name).gpu_energy[self._index])

    def energy_j(self, name: str) -> Estimate | None:
        seen_j = self._seen.get(name)
        return None if seen_j is None else stated(seen_j, "J", Basis.MEASURED, "Zeus' monitor")


def zeus_of(device: Device) -> Zeus | str:
    """Zeus, or why it does not take part."""
    if not device.name.startswith("cuda"):
        return "the device is no GPU of NVIDIA"
    index = int(device.name.partition(":")[2] or 0)
    try:
        from zeus.monitor import ZeusMonitor

        return Zeus(ZeusMonitor(gpu_indices=[index], cpu_indices=[]), index)
    except ImportError:
        return "it is not installed: pip install zeus"
    except Exception as error:  # whatever it meets here, the others go on
        heed_interruption(error)
        return one_line(error)


def counter_of(opened: Sequence[OpenMeter], device: Device) -> tuple[OpenMeter, Channel] | None:
    """The energy counter of a GPU; of the CPU, one that measures its package."""
    for meter, channels in opened:
        for channel in channels:
            is_own = channel.identity == device.identity and channel.basis is Basis.MEASURED
            if device.identity is None:
                is_own = channel.device.startswith("cpu:") and channel.basis is Basis.MEASURED
            if channel.kind is ChannelKind.ENERGY and is_own:
                return (meter, channels), channel
    return None
