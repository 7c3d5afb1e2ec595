"""How much a second run of the same thing differs from the first, as far as one run can tell."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median

from profiler.values.findings import CONTENDED
from profiler.values.profile import Profile
from profiler.values.repetition import Repetition

REPRODUCIBILITY = {"cuda": 0.01, "cpu": 0.03}
"""Assumed relative sd between whole runs of one process, by type of device; `--noise` overrides."""

_FEWEST_BLOCKS = 3
_STRETCHES = 5


def run_to_run(profile: Profile) -> float:
    """Relative standard deviation that a second run adds to the intervals of this one.

    A run of several processes has seen how much these differ, and its intervals hold it. What it
    adds is its drift: a machine that drifts from stretch to stretch of one run drifts no less
    between two. A run of one process cannot know how another would differ: a constant is assumed,
    or the spread of its blocks where that is larger (Kalibera and Jones, "Rigorous benchmarking in
    reasonable time", ISMM 2013: the highest level of repetition carries most of the variance).
    """
    repetition = profile.repetition
    drift = 0.0 if repetition is None else _drift(repetition)
    if repetition is not None and repetition.process_count > 1:
        return drift
    device_type = profile.workload.device.split(":")[0]
    assumed = REPRODUCIBILITY.get(device_type, max(REPRODUCIBILITY.values()))
    return max(assumed, drift if repetition is not None else _spread_of_blocks(profile))


def was_contended(profile: Profile) -> bool:
    """Whether other work took CPUs from the run most of the time."""
    return any(finding.kind == CONTENDED for finding in profile.findings)


def _drift(repetition: Repetition) -> float:
    """Relative sd of the seconds a call between stretches of the run, processes aside."""
    blocks = repetition.counted
    if len(blocks) < _FEWEST_BLOCKS * _STRETCHES:
        return _relative_sd([block.latency_s for block in blocks])
    centres = {
        process: median(block.latency_s for block in blocks if block.process == process)
        for process in {block.process for block in blocks}
    }
    values = [block.latency_s / centres[block.process] for block in blocks]
    edges = [len(values) * k // _STRETCHES for k in range(_STRETCHES + 1)]
    return _relative_sd([median(values[start:end]) for start, end in pairwise(edges)])


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
