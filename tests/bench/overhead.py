"""What the recorder itself costs, on the virtual H100: `python -m tests.bench.overhead`.

CPU is that of the whole process while the caller sleeps, the virtual driver's own work included,
which is all Python and dearer than the real library's. Medians; other load on the machine counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import profiler
from profiler.meters import OpenMeter, open_meter
from profiler.meters.nvml import NvmlMeter
from tests.virtual.nvml import Scenario, VirtualGpu, install
from tests.virtual.power import constant

Row = tuple[str, float, float, str]


def gpu_meters() -> list[OpenMeter]:
    meter = NvmlMeter(environment={})
    channels, _ = open_meter(meter)
    return [(meter, channels)]


def start_ms() -> float:
    """From nothing to a running recording, GPU opened and probed."""
    begun_s = time.perf_counter()
    recording = profiler.record(gpu_meters()).start()
    spent_s = time.perf_counter() - begun_s
    recording.stop()
    return 1e3 * spent_s


def enter_and_exit_us() -> float:
    with profiler.record(gpu_meters()) as recording:
        spent_s = []
        for _ in range(300):
            begun_s = time.perf_counter()
            with recording.window("step"):
                pass
            spent_s.append(time.perf_counter() - begun_s)
            time.sleep(1e-3)
    return 1e6 * statistics.median(spent_s)


def cpu_share_percent(seconds: float) -> float:
    """Share of one core that a recording takes while its caller sleeps."""
    with profiler.record(gpu_meters()):
        time.sleep(1.0)
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        time.sleep(seconds)
        cpu_s = time.process_time() - begun_cpu_s
        return 100 * cpu_s / (time.perf_counter() - begun_s)


def import_ms() -> float:
    """`import profiler` in a fresh interpreter, less the bare interpreter."""

    def spent_s(code: str) -> float:
        begun_s = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun_s

    return 1e3 * (spent_s("import profiler; profiler.record") - spent_s("pass"))


def median_of(measure: Callable[[], float], count: int) -> float:
    return statistics.median(measure() for _ in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    gpu = VirtualGpu(script=constant(300, 3600).at(time.monotonic()), phase_s=0.03)
    with install(Scenario(gpus=(gpu,))):
        start_ms()  # imports
        rows: list[Row] = [
            ("start", median_of(start_ms, 9), 50.0, "ms"),
            ("window enter+exit", median_of(enter_and_exit_us, 3), 50.0, "us"),
            (
                f"CPU of {options.seconds:g} s",
                cpu_share_percent(options.seconds),
                0.5,
                "% of a core",
            ),
            ("import profiler", median_of(import_ms, 7), 60.0, "ms"),
        ]
    for title, value, goal, unit in rows:
        verdict = "" if value <= goal else "   ABOVE"
        print(f"{title:24}{value:>10.2f} {unit:12} goal {goal:g}{verdict}")


if __name__ == "__main__":
    main()
