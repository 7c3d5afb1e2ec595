"""A sensor for jobs of a second: 100 W, counted every 20 ms."""

from __future__ import annotations

import threading
from pathlib import Path

from profiler.integrations.callback import EnergyReport
from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.recording import Recording, record
from profiler.values.estimate import Estimate

POWER_W = 100.0


def recording(device: str = "synthetic:0") -> Recording:
    meter = SyntheticMeter([(1.0, POWER_W)], update_period_s=0.02, device=device)
    return record([(meter, meter.open())])


def noted_recording() -> Recording:
    """Leaves a line for each process that opens the sensor."""
    with Path("opened.txt").open("a", encoding="utf-8") as file:
        file.write("opened\n")
    return recording()


def broken() -> Recording:
    raise OSError("the driver is gone")


def samplers() -> list[str]:
    """Threads of ours that are alive."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("wattprof")]


def told(report: EnergyReport) -> dict[str, object]:
    """What a callback knows, as JSON."""
    total_j = report.total
    return {
        "total": span(total_j),
        "expected_j": POWER_W * sum(segment.duration_s for segment in report._job.segments),
        "energies": {name: span(value) for name, value in report.energies.items()},
        "findings": [finding.kind for finding in report.findings],
        "failures": report.shield.failures,
        "segment_count": len(report._job.segments),
    }


def span(estimate: Estimate | None) -> list[float | None] | None:
    return None if estimate is None else [estimate.low, estimate.point, estimate.high]
