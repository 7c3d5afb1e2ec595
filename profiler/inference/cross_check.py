"""The guard: does the counter agree with the integrated power of the same device?"""

from __future__ import annotations

from profiler.values.findings import Finding
from profiler.values.trace import CounterTrace, PowerTrace

from . import findings as judgement
from .moves import Moves
from .power_samples import PowerSamples

DEFAULT_GAIN_ERROR = 0.05
SHORTEST_PERIODS = 10


def compare_sources(
    trace: CounterTrace, moves: Moves, power: PowerTrace | None
) -> tuple[Finding, ...]:
    """A finding where both differ over the longest common span by more than both may be off."""
    if power is None or len(power.time_s) < 4 or len(moves) < 4 or not moves.solid.all():
        return ()
    moved_s = moves.instant_s
    inside = (moved_s >= power.time_s[0]) & (moved_s <= power.time_s[-1])
    chosen = inside.nonzero()[0]
    if len(chosen) < SHORTEST_PERIODS:
        return ()
    first, last = int(chosen[0]), int(chosen[-1])
    span = (float(moved_s[first]), float(moved_s[last]))
    power_j, half_width_j = PowerSamples(power).integral([span])
    counter_j = float(moves.energy_j[last] - moves.energy_j[first])
    gains = [
        DEFAULT_GAIN_ERROR if channel.gain_error is None else channel.gain_error
        for channel in (trace.channel, power.channel)
    ]
    allowed_j = half_width_j + gains[0] * counter_j + gains[1] * power_j
    if abs(counter_j - power_j) <= allowed_j:
        return ()
    return (judgement.disagreement(trace.channel, counter_j, power_j),)
