"""How many CPUs were busy with other work while a model was measured."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.values.findings import Finding, contended

if TYPE_CHECKING:
    from .device import Device

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class CpuWatch:
    """Compares the machine's busy time with this process's own, from its making on.

    Args:
        stat: the kernel's account of all CPUs.
    """

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._started = self._look()

    def other_cpus(self) -> float | None:
        """CPUs kept busy by others on average, time stolen by a hypervisor included.

        None where the kernel does not tell.
        """
        now = self._look()
        if now is None or self._started is None:
            return None
        busy_s, own_s, at_s = (a - b for a, b in zip(now, self._started, strict=True))
        return max(0.0, busy_s - own_s) / at_s if at_s > 0 else None

    def _look(self) -> tuple[float, float, float] | None:
        """Busy seconds of all CPUs, CPU seconds of this process, and the instant."""
        try:
            fields = self._stat.read_text(encoding="ascii").split("\n")[0].split()[1:9]
            counts = [int(field) for field in fields]
        except (OSError, ValueError):
            return None
        if len(counts) < 5:
            return None
        busy_ticks = sum(counts) - counts[3] - counts[4]
        return busy_ticks / TICKS_PER_S, time.process_time(), time.monotonic()


def is_contended(other_cpus: float, threads: int, cpu_count: int) -> bool:
    """Whether others took CPUs that the model's threads needed.

    A quarter of a CPU is what an idle machine does by itself. One thread of a parallel kernel that
    has to wait makes all of them wait.
    """
    return other_cpus > 0.25 and threads + other_cpus > cpu_count


def judge_contention(device: Device, watch: CpuWatch) -> list[Finding]:
    """Only for work on the CPU: a GPU waits for its host far less than a thread for another."""
    import torch

    other_cpus = watch.other_cpus()
    threads, cpu_count = torch.get_num_threads(), len(os.sched_getaffinity(0))
    if device.is_gpu or other_cpus is None or not is_contended(other_cpus, threads, cpu_count):
        return []
    return [contended(other_cpus, threads, cpu_count)]
