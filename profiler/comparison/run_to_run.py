"""How much a second run of the same thing differs from the first, as far as one run can tell."""

from __future__ import annotations

import math

from profiler.values.findings import CONTENDED
from profiler.values.profile import Profile

REPRODUCIBILITY = {"cuda": 0.01, "cpu": 0.03}
"""Assumed relative sd between whole runs, by type of device; `--noise` overrides it."""

CONTENDED_NOISE = 2.5
"""The same on the logarithm for a run that had to share its CPUs: threads that wait for each other
have been seen to slow a small model down 50 to 300 times."""

_FEWEST_BLOCKS = 3


def run_to_run(profile: Profile) -> float:
    """Relative standard deviation between whole runs: assumed, or the blocks' where larger.

    A run whose CPUs were taken by other work says next to nothing about another one.
    """
    if was_contended(profile):
        return CONTENDED_NOISE
    device_type = profile.workload.device.split(":")[0]
    assumed = REPRODUCIBILITY.get(device_type, max(REPRODUCIBILITY.values()))
    return max(assumed, _spread_of_blocks(profile))


def was_contended(profile: Profile) -> bool:
    """Whether other work took CPUs from the run."""
    return any(finding.kind == CONTENDED for finding in profile.findings)


def _spread_of_blocks(profile: Profile) -> float:
    """Relative standard deviation of the time per call between a run's blocks of one kind."""
    blocks: dict[str, list[float]] = {}
    for window in profile.windows:
        if window.duration_s and window.iteration_count:
            blocks.setdefault(window.name, []).append(window.duration_s / window.iteration_count)
    return max((_relative_sd(values) for values in blocks.values()), default=0.0)


def _relative_sd(values: list[float]) -> float:
    if len(values) < _FEWEST_BLOCKS:
        return 0.0
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance) / mean
