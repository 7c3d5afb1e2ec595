"""CodeCarbon's estimate: what a CPU of this model may draw at this load, and an assumed memory.

No sensor is read. Load is the busy share of all the CPUs that /proc/stat shows (of the machine,
other processes and tenants included), taken over spans of `LOAD_SPAN_S`; CPU power is
TDP x (0.1 + 0.9 load^3), memory power a constant. Both are CodeCarbon's rules and data. Seconds
are the clock's: a container may be shown the ticks of other CPUs than it counts. The joules
of all full spans are added up, so that the channels are counters that move every span: what a
sampled power would add in noise is not part of the model.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from profiler.errors import SensorError
from profiler.values.estimate import Basis
from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind, Reading

from .base import unknown_channel
from .clock import Clock, MonotonicClock
from .codecarbon_tables import (
    WATTS_PER_UNKNOWN_THREAD,
    CarbonIntensity,
    carbon_intensity_g_per_kwh,
    cpu_tdp_w,
    known_countries,
    load_factor,
    package_folder,
    package_version,
    ram_power_w,
)
from .sysfs import SysfsReader

__all__ = ["CarbonIntensity", "CodeCarbonMeter", "carbon_intensity_g_per_kwh", "known_countries"]

LOAD_SPAN_S = 0.25
CLOCK_ROUNDING_S = 1e-6
# In a virtual machine, sockets of fewer CPUs are an invention of its configuration.
FEWEST_CPUS_OF_A_SOCKET = 8


class CodeCarbonMeter:
    """Estimated CPU power and assumed memory power. Opens no network, file lock or process.

    Args:
        proc: the procfs root.
        reader: reads the files; a stand-in in tests.
        clock: how long a span of load is.
    """

    name = "codecarbon"

    def __init__(
        self,
        proc: Path = Path("/proc"),
        *,
        reader: SysfsReader | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._clock = clock or MonotonicClock()
        self._proc = proc
        self._reader = reader or SysfsReader()
        self._lock = threading.Lock()
        self._tdp_w = 0.0
        self._ram_w = 0.0
        self._model: _ModelledEnergy | None = None
        self._keys: frozenset[str] = frozenset()

    def open(self) -> tuple[Channel, ...]:
        stat = self._proc / "stat"
        if package_folder() is None or not self._reader.has(stat):
            return ()
        try:
            _, ticks = _ticks(stat, self._reader)
        except (OSError, ValueError) as error:
            raise SensorError(f"{stat} cannot be read: {error}") from error
        if ticks == 0:
            raise SensorError(
                f"{stat} counts no CPU time at all, as in gVisor and other sandboxes: the load of "
                "the CPUs cannot be known here",
                hint="run outside the sandbox (for Docker: --runtime=runc)",
            )
        version = f"CodeCarbon {package_version()}"
        self._tdp_w, cpu_source = self._rated_power()
        memory_bytes = self._memory_bytes()
        channels = [
            Channel(
                device="cpu",
                kind=ChannelKind.ENERGY,
                source=f"{version} estimate, load x TDP: {cpu_source}",
                basis=Basis.ESTIMATED,
                update_period_s=LOAD_SPAN_S,
            )
        ]
        if memory_bytes is not None:
            is_arm = os.uname().machine.lower().startswith(("arm", "aarch"))
            self._ram_w = ram_power_w(memory_bytes, is_arm=is_arm)
            size = f"{memory_bytes / 1024**3:.0f} GiB"
            channels.append(
                Channel(
                    device="ram",
                    kind=ChannelKind.ENERGY,
                    source=f"{version} assumption: {self._ram_w:g} W for {size}, never measured",
                    basis=Basis.ASSUMED,
                    update_period_s=LOAD_SPAN_S,
                )
            )
        self._model = _ModelledEnergy(stat, self._reader, self._clock, self._tdp_w, self._ram_w)
        self._keys = frozenset(channel.key for channel in channels)
        return tuple(channels)

    def read(self, channel: Channel) -> float:
        model = self._model
        if model is None or channel.key not in self._keys:
            raise unknown_channel(self.name, channel)
        try:
            with self._lock:
                cpu_j, ram_j = model.read()
        except (OSError, ValueError) as error:
            raise SensorError(f"{self._proc / 'stat'} cannot be read: {error}") from error
        return cpu_j if channel.device == "cpu" else ram_j

    def drain(self, channel: Channel) -> Sequence[Reading]:
        return ()

    def close(self) -> None:
        self._keys = frozenset()
        self._model = None

    def _rated_power(self) -> tuple[float, str]:
        """Watts at full load of all sockets, and where they come from."""
        models, sockets, are_real = self._processors()
        model = models[0] if models else ""
        tdp_w = cpu_tdp_w(model)
        if tdp_w is not None and not are_real:
            return tdp_w, (
                f"{model}, {tdp_w:g} W of one socket: the {sockets} that this virtual machine "
                "shows are none"
            )
        if tdp_w is not None:
            count = f" x {sockets}" if sockets > 1 else ""
            return tdp_w * sockets, f"{model}, {tdp_w:g} W{count}"
        threads = os.cpu_count() or 1
        watts = WATTS_PER_UNKNOWN_THREAD * threads
        return watts, f"4 W per thread default x {threads}, {model or 'CPU'} not in its table"

    def _processors(self) -> tuple[list[str], int, bool]:
        """Model names that /proc/cpuinfo lists, how many sockets, and whether these can be real."""
        try:
            text = self._reader.text(self._proc / "cpuinfo")
        except OSError:
            return [], 1, True
        models = re.findall(r"^model name\s*:\s*(.*\S)", text, re.MULTILINE)
        places = re.findall(r"^physical id\s*:\s*(\d+)", text, re.MULTILINE)
        sockets = max(1, len(set(places)))
        is_virtual = re.search(r"^flags\s*:.*\bhypervisor\b", text, re.MULTILINE) is not None
        is_split = sockets > 1 and len(places) < FEWEST_CPUS_OF_A_SOCKET * sockets
        is_single = sockets > 2 and len(places) == sockets
        return models, sockets, not (is_single or (is_virtual and is_split))

    def _memory_bytes(self) -> int | None:
        try:
            text = self._reader.text(self._proc / "meminfo")
            return int(text.partition("MemTotal:")[2].split()[0]) * 1024
        except (OSError, ValueError, IndexError):
            return None


class _ModelledEnergy:
    """Joules of the CPU and the memory since the beginning, span by span.

    The rule for the CPU is cubic in the load, so that spans which followed the rate of reading
    would change the joules: a span ends with the first read after LOAD_SPAN_S.
    """

    def __init__(
        self, path: Path, reader: SysfsReader, clock: Clock, tdp_w: float, ram_w: float
    ) -> None:
        self._path = path
        self._reader = reader
        self._clock = clock
        self._tdp_w = tdp_w
        self._ram_w = ram_w
        self._cpu_j = 0.0
        self._ram_j = 0.0
        self._start_s = clock.now_s()
        self._start_busy, self._start_total = _ticks(path, reader)

    def read(self) -> tuple[float, float]:
        """CPU and memory joules up to the end of the last full span.

        Raises `OSError` or `ValueError` where the kernel's file cannot be understood.
        """
        now_s = self._clock.now_s()
        span_s = now_s - self._start_s
        if span_s >= LOAD_SPAN_S - CLOCK_ROUNDING_S:
            busy, total = _ticks(self._path, self._reader)
            passed = total - self._start_total
            if passed <= 0:
                raise ValueError(f"it has counted no CPU time for {span_s:.2f} s")
            load = min(max((busy - self._start_busy) / passed, 0.0), 1.0)
            self._cpu_j += self._tdp_w * load_factor(load) * span_s
            self._ram_j += self._ram_w * span_s
            self._start_s, self._start_busy, self._start_total = now_s, busy, total
        return self._cpu_j, self._ram_j


def _ticks(path: Path, reader: SysfsReader) -> tuple[int, int]:
    """Busy and all ticks, from "cpu user nice system idle iowait irq softirq steal ...".

    As CodeCarbon counts: guest time lies within user and nice; idle and iowait are not busy.
    """
    counts = [int(word) for word in reader.text(path).split("\n")[0].split()[1:9]]
    if len(counts) < 5:
        raise ValueError(f"{path} begins with {len(counts)} tick counts")
    return sum(counts) - sum(counts[3:5]), sum(counts)
