"""How a channel really behaves on this machine; takes seconds, so it is `doctor`'s work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from profiler.errors import SensorError
from profiler.meters.base import Meter
from profiler.meters.clock import Clock
from profiler.meters.plausible import read_plausible
from profiler.values.trace import Channel, ChannelKind

STEP_S = 1e-3
MIN_MOVE_COUNT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedChannel:
    """What was seen of a channel; None for what could not be seen in the time given.

    Args:
        update_period_s: median time between two moves of the value.
        resolution: smallest step between two values, in J or W.
        read_cost_s: median duration of a read.
        noise_w: standard deviation of the power, from one move to the next for a counter.
        mean_power_w: mean power while it was probed.
        read_count: reads that succeeded.
        failure_count: reads that failed.
    """

    update_period_s: float | None
    resolution: float | None
    read_cost_s: float | None
    noise_w: float | None
    mean_power_w: float | None
    read_count: int
    failure_count: int


def probe(
    meter: Meter,
    channel: Channel,
    clock: Clock,
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> ProbedChannel:
    """Poll an open channel for `seconds`, best on an idle machine, and report how it moves."""
    times_s: list[float] = []
    values: list[float] = []
    costs_s: list[float] = []
    failure_count = 0
    end_s = clock.now_s() + seconds
    while (start_s := clock.now_s()) < end_s:
        try:
            value = read_plausible(meter, channel)
        except SensorError:
            failure_count += 1
        else:
            done_s = clock.now_s()
            times_s.append((start_s + done_s) / 2)
            values.append(value)
            costs_s.append(done_s - start_s)
        sleep(STEP_S)
    moves = [k for k in range(1, len(values)) if values[k] != values[k - 1]]
    powers_w = _powers_w(channel, times_s, values, moves)
    return ProbedChannel(
        update_period_s=_median(_differences([times_s[k] for k in moves])),
        resolution=min((abs(values[k] - values[k - 1]) for k in moves), default=None),
        read_cost_s=_median(costs_s),
        noise_w=_deviation(powers_w),
        mean_power_w=sum(powers_w) / len(powers_w) if powers_w else None,
        read_count=len(values),
        failure_count=failure_count,
    )


def _powers_w(
    channel: Channel, times_s: Sequence[float], values: Sequence[float], moves: Sequence[int]
) -> list[float]:
    """Power samples; of a counter, the mean power from each move to the next."""
    if channel.kind is ChannelKind.POWER:
        return list(values)
    spans_s = _differences([times_s[k] for k in moves])
    steps_j = _differences([values[k] for k in moves])
    return [j / s for j, s in zip(steps_j, spans_s, strict=True) if j >= 0]


def _differences(values: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(values)]


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if len(values) >= MIN_MOVE_COUNT else None


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < MIN_MOVE_COUNT:
        return None
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return float(variance**0.5)
