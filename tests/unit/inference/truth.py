"""Exact counter and power traces of a scripted power, for tests of the estimator alone."""

from __future__ import annotations

import math
import random

from profiler.values.trace import Channel, ChannelKind, CounterTrace, Fault, PowerTrace, Window
from tests.virtual.power import PowerScript, steps

COUNTER = Channel(
    device="gpu:0",
    kind=ChannelKind.ENERGY,
    source="counter",
    update_period_s=0.1,
    resolution_j=1e-3,
    gain_error=0.05,
)
POWER = Channel(
    device="gpu:0", kind=ChannelKind.POWER, source="power", update_period_s=0.05, gain_error=0.05
)


def counter_trace(
    script: PowerScript,
    *,
    until_s: float,
    phase_s: float = 0.037,
    period_s: float = 0.1,
    width_s: float = 0.0012,
    seed: int = 1,
    channel: Channel = COUNTER,
    last_seen_s: float | None = None,
    faults: tuple[Fault, ...] = (),
) -> CounterTrace:
    """Moves at phase + n x period from 0 s on, each inside a bracket at a random place."""
    chance = random.Random(seed)
    count = math.floor((until_s - phase_s) / period_s) + 1
    moves_s = [phase_s + period_s * k for k in range(count)]
    offsets = [chance.random() for _ in moves_s]
    shown_j = [math.floor(script.energy_j(move_s) * 1e3) / 1e3 for move_s in moves_s]
    return CounterTrace(
        channel=channel,
        earliest_s=tuple(m - width_s * o for m, o in zip(moves_s, offsets, strict=True)),
        latest_s=tuple(m + width_s * (1 - o) for m, o in zip(moves_s, offsets, strict=True)),
        energy_j=tuple(value - shown_j[0] for value in shown_j),
        epoch=(0,) * count,
        last_seen_s=until_s if last_seen_s is None else last_seen_s,
        faults=faults,
    )


def power_trace(
    script: PowerScript, *, until_s: float, step_s: float = 0.05, channel: Channel = POWER
) -> PowerTrace:
    """Exact power every `step_s`."""
    times_s = [step_s * k for k in range(math.floor(until_s / step_s) + 1)]
    return PowerTrace(
        channel=channel,
        time_s=tuple(times_s),
        power_w=tuple(script.power_w(time_s) for time_s in times_s),
        last_seen_s=times_s[-1],
    )


def busy_and_idle(
    windows: list[tuple[float, float]], gaps_s: list[float], idle_w: float = 90.0
) -> tuple[PowerScript, tuple[Window, ...]]:
    """Windows of (duration, power), a gap before each and 1 s of idle at both ends."""
    levels, found, now_s = [(1.0, idle_w)], [], 1.0
    for index, ((duration_s, power_w), gap_s) in enumerate(zip(windows, gaps_s, strict=True)):
        if gap_s > 0:
            levels.append((gap_s, idle_w))
            now_s += gap_s
        found.append(Window(name=f"w{index}", start_s=now_s, end_s=now_s + duration_s))
        levels.append((duration_s, power_w))
        now_s += duration_s
    levels.append((1.0, idle_w))
    return steps(levels), tuple(found)
