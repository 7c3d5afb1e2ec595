"""What the kernel accounts to a span of this process's work, and to everybody else meanwhile."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

from profiler.values.repetition import CpuAccount

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
WORKING_SHARE = 0.2
"""A thread that neither ran nor was ready for this share of a span had no work to wait with."""


@dataclass(frozen=True, slots=True)
class CpuCounters:
    """Rising counts at one instant.

    Args:
        time_s: CLOCK_MONOTONIC.
        own_cpu_s: CPU seconds of this process.
        usage: the kernel's accounting of it.
        busy_s: CPU seconds of the whole machine, and of these the stolen ones.
        threads: seconds on a CPU and seconds ready for one, by thread.
        migration_count: of the first thread.
    """

    time_s: float
    own_cpu_s: float
    usage: resource.struct_rusage
    busy_s: tuple[float, float] | None
    threads: dict[str, tuple[float, float]] = field(default_factory=dict)
    migration_count: int | None = None


class CpuAccountant:
    """Reads the kernel's counts, and says what happened between two readings.

    Args:
        proc: the procfs root.
        sys: the sysfs root.
    """

    def __init__(self, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self._proc = proc
        self._cpus = sys / "devices/system/cpu"

    def read(self) -> CpuCounters:
        """The counts now; what this kernel does not show is absent."""
        return CpuCounters(
            time.monotonic(),
            time.process_time(),
            resource.getrusage(resource.RUSAGE_SELF),
            self._machine(),
            self._threads(),
            self._migrations(),
        )

    def between(self, first: CpuCounters, second: CpuCounters) -> CpuAccount:
        """What happened from the first reading to the second."""
        own_s = second.own_cpu_s - first.own_cpu_s
        before, after = first.usage, second.usage
        other_s = stolen_s = None
        if first.busy_s is not None and second.busy_s is not None:
            busy_s, stolen_s = (b - a for a, b in zip(first.busy_s, second.busy_s, strict=True))
            other_s = max(0.0, busy_s - own_s)
        migrations = None
        if first.migration_count is not None and second.migration_count is not None:
            migrations = second.migration_count - first.migration_count
        return CpuAccount(
            own_cpu_s=own_s,
            system_s=after.ru_stime - before.ru_stime,
            minor_fault_count=after.ru_minflt - before.ru_minflt,
            major_fault_count=after.ru_majflt - before.ru_majflt,
            involuntary_switch_count=after.ru_nivcsw - before.ru_nivcsw,
            migration_count=migrations,
            frequency_hz=self._frequency_hz(),
            run_queue_wait_s=_longest_wait(first, second),
            other_cpu_s=other_s,
            stolen_s=stolen_s,
        )

    def _machine(self) -> tuple[float, float] | None:
        """Busy and stolen seconds of all CPUs, from "cpu user nice system idle iowait ..."."""
        line = _text(self._proc / "stat").split("\n")[0]
        counts = [int(word) for word in line.split()[1:9] if word.isdecimal()]
        if len(counts) < 5 or not any(counts):
            return None
        stolen = counts[7] if len(counts) > 7 else 0
        return (sum(counts) - counts[3] - counts[4]) / TICKS_PER_S, stolen / TICKS_PER_S

    def _threads(self) -> dict[str, tuple[float, float]]:
        threads = {}
        try:
            names = os.listdir(self._proc / "self/task")
        except OSError:
            return {}
        for name in names:
            words = _text(self._proc / "self/task" / name / "schedstat").split()
            if len(words) == 3:
                threads[name] = int(words[0]) * 1e-9, int(words[1]) * 1e-9
        return threads

    def _migrations(self) -> int | None:
        _, found, rest = _text(self._proc / "self/sched").partition("nr_migrations")
        words = rest.split("\n")[0].split()
        return int(words[1]) if found and len(words) == 2 and words[1].isdecimal() else None

    def _frequency_hz(self) -> float | None:
        """Of the CPU that this process ran on last: field 39 of its status line."""
        fields = _text(self._proc / "self/stat").rpartition(")")[2].split()
        if len(fields) < 37:
            return None
        khz = _text(self._cpus / f"cpu{fields[36]}" / "cpufreq/scaling_cur_freq").strip()
        return float(khz) * 1e3 if khz.isdecimal() else None


def _longest_wait(first: CpuCounters, second: CpuCounters) -> float | None:
    """Seconds for which the working thread that was held up most had no CPU."""
    if not second.threads:
        return None
    span_s = second.time_s - first.time_s
    waits_s = [0.0]
    for name, (ran_s, waited_s) in second.threads.items():
        ran_before_s, waited_before_s = first.threads.get(name, (0.0, 0.0))
        wait_s = waited_s - waited_before_s
        if ran_s - ran_before_s + wait_s >= WORKING_SHARE * span_s:
            waits_s.append(wait_s)
    return min(max(waits_s), span_s)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
