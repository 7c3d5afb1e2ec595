"""Sensors that showed nothing throughout, and what befell the whole machine meanwhile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from profiler.values.findings import Finding
from profiler.values.trace import CounterTrace, FaultKind, Trace

from . import findings as judgement

Span = tuple[float, float]
SHORTEST_SILENCE_S = 1.0
SILENT_PERIODS = 10.0
FEWEST_ZEROS = 3


def silent_devices(by_device: Mapping[str, Sequence[Trace]], start_s: float) -> set[str]:
    """Devices of which every sensor stood still, read 0 W or found it asleep all the while.

    Such a device cannot be told from one that draws nothing: the second die of a card whose first
    shows both, a rail without a load. One that showed something before is not among them.

    Args:
        by_device: everything that was recorded.
        start_s: since when the counters were read.
    """
    return {
        device
        for device, traces in by_device.items()
        if all(_is_silent(trace, start_s) for trace in traces)
    }


def _is_silent(trace: Trace, start_s: float) -> bool:
    if trace.last_seen_s is None:
        kinds = {fault.kind for fault in trace.faults}
        return kinds == {FaultKind.ASLEEP}
    if trace.channel.always_draws:
        return False
    if isinstance(trace, CounterTrace):
        period_s = trace.channel.update_period_s or 0.0
        read_s = trace.last_seen_s - start_s
        stood_still = not trace.energy_j or trace.energy_j[-1] == trace.energy_j[0]
        return stood_still and read_s >= max(SHORTEST_SILENCE_S, SILENT_PERIODS * period_s)
    return len(trace.power_w) >= FEWEST_ZEROS and max(trace.power_w) <= 0.0


def was_suspended(trace: Trace) -> bool:
    """Whether the machine was suspended while this was recorded."""
    return any(fault.kind is FaultKind.SUSPENDED for fault in trace.faults)


def machine_remarks(traces: Sequence[Trace], spans: Sequence[Span]) -> tuple[Finding, ...]:
    """That the machine was suspended inside a target, by the channel that shows the longest."""
    found = [
        fault.message
        for trace in traces
        for fault in trace.faults
        if fault.kind is FaultKind.SUSPENDED
        and any(
            start < (math.inf if fault.end_s is None else fault.end_s) and end > fault.start_s
            for start, end in spans
        )
    ]
    return tuple(judgement.suspended(message) for message in dict.fromkeys(found))
