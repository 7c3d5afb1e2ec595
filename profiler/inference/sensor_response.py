"""From readings under a known load to how late they are and how much they see; pure.

A counter that looks at a part of each of its periods sees a burst shorter than the period wholly
or not at all, by when the burst falls. Bursts whose period is a little longer than the counter's
own come at every phase in turn: the counter's power then swings between loaded and idle, where one
that sees everything stays at the mean of both. The sensor of the A100 and H100 looks at 25 of every
100 ms (Yang et al., arXiv 2312.02741); whether their counters do, is what this is to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from profiler.values.estimate import Basis, Estimate
from profiler.values.sensor_response import SensorResponse
from profiler.values.statistics import mean_interval

FEWEST_STEPS = 5
LEAST_RISE = 0.1
"""Loaded power must be above idle power by this share of it, or nothing can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A reading that was asked for again and again.

    Args:
        time_s: instants, rising.
        value: joules of a counter, or watts.
    """

    time_s: tuple[float, ...]
    value: tuple[float, ...]

    def between(self, start_s: float, end_s: float) -> list[tuple[float, float]]:
        """Instants and values inside a span."""
        pairs = zip(self.time_s, self.value, strict=True)
        return [(time_s, value) for time_s, value in pairs if start_s <= time_s <= end_s]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """When the device was loaded.

    Args:
        steps_s: instants at which the load began or ended, in turns, the first a beginning; the
            device idled before the first and has settled before the next.
        bursts_s: span of the bursts.
        burst_s: length of a burst.
        burst_period_s: from one to the next.
        beat_s: time in which the phase of the bursts against the counter goes round once.
        load: what the device did, in words.
    """

    steps_s: tuple[float, ...]
    bursts_s: tuple[float, float]
    burst_s: float
    burst_period_s: float
    beat_s: float
    load: str


def infer_response(
    counter: Polled, powers: Mapping[str, Polled], plan: LoadPlan, *, instant: str, period_s: float
) -> SensorResponse | None:
    """What the readings tell; None where the load made no difference to the counter.

    Args:
        counter: of energy.
        powers: readings of power by their names.
        plan: when the device was loaded.
        instant: the name of the one that looks at the shortest time.
        period_s: between two moves of the counter.
    """
    steps_w = _step_powers(counter)
    idle_w, loaded_w = _levels(steps_w, plan)
    if idle_w is None or loaded_w is None:
        return None
    rise_w = loaded_w.point - idle_w.point
    if rise_w < LEAST_RISE * loaded_w.point:
        return None
    swing = _swing(steps_w, plan, rise_w, "the counter's power")
    if swing is None:
        return None
    sampled = powers.get(instant)
    moves = [] if sampled is None else _moves(sampled)
    delays = {name: _delay_s(polled, plan) for name, polled in powers.items()}
    return SensorResponse(
        load=plan.load,
        period_s=period_s,
        burst_s=plan.burst_s,
        burst_period_s=plan.burst_period_s,
        idle_w=idle_w,
        loaded_w=loaded_w,
        counter_swing=swing,
        power_swing=_swing(moves, plan, rise_w, "the instant power") if moves else None,
        counter_look_s=_look_s(swing, plan, period_s),
        delays_s={name: delay for name, delay in delays.items() if delay is not None},
    )


def _moves(polled: Polled) -> list[tuple[float, float]]:
    """Instant and value of every change."""
    pairs = list(zip(polled.time_s, polled.value, strict=True))
    return [after for before, after in pairwise(pairs) if after[1] != before[1]]


def _step_powers(counter: Polled) -> list[tuple[float, float]]:
    """Instant of each move of a counter, and the mean watts since the move before."""
    return [
        (after_s, (after_j - before_j) / (after_s - before_s))
        for (before_s, before_j), (after_s, after_j) in pairwise(_moves(counter))
        if after_j >= before_j
    ]


def _levels(
    steps_w: Sequence[tuple[float, float]], plan: LoadPlan
) -> tuple[Estimate | None, Estimate | None]:
    """Power when idle and when loaded, over the later half of each phase between two steps."""
    settled: tuple[list[float], list[float]] = ([], [])
    for number, (start_s, end_s) in enumerate(pairwise(plan.steps_s)):
        middle_s = (start_s + end_s) / 2
        settled[number % 2].extend(w for s, w in steps_w if middle_s < s <= end_s)
    loaded, idle = settled
    return _mean(idle, "W", "idle between loads"), _mean(loaded, "W", plan.load)


def _swing(
    powers_w: Sequence[tuple[float, float]], plan: LoadPlan, rise_w: float, what: str
) -> Estimate | None:
    """Highest less lowest twentieth of the power in each beat, as a share of the rise."""
    start_s, end_s = plan.bursts_s
    swings = []
    while start_s + plan.beat_s <= end_s + plan.burst_period_s:
        beat_w = sorted(w for s, w in powers_w if start_s < s <= start_s + plan.beat_s)
        if len(beat_w) >= FEWEST_STEPS:
            rank = len(beat_w) // 20
            swings.append((beat_w[-1 - rank] - beat_w[rank]) / rise_w)
        start_s += plan.beat_s
    return _mean(swings, "", f"{what} while bursts come at every phase")


def _look_s(swing: Estimate, plan: LoadPlan, period_s: float) -> Estimate | None:
    """For how long of each period a counter looks that swings so far.

    Of a look of L, bursts of B every T fill at most min(1, B / L) and at least
    max(0, (L - T + B) / L): a swing of 1 for L <= B, of B / L up to T - B, of (T - L) / L above
    (for B < T / 2). From one burst to the next the phase goes on by a step, and no end is known
    more closely than that.
    """
    burst_s, step_s = plan.burst_s, plan.burst_period_s - period_s
    if swing.low is None or swing.high is None:
        return None

    def look_s(share: float) -> float:
        if share >= 1:
            return burst_s
        from_middle_s = burst_s / share if share > 0 else period_s
        return min(from_middle_s, period_s / (1 + max(share, 0.0)))

    return Estimate(
        point=look_s(swing.point), unit="s",
        low=0.0 if swing.high >= 0.9 else max(0.0, look_s(swing.high) - step_s),
        high=min(period_s, look_s(swing.low) + step_s),
        confidence=swing.confidence, basis=Basis.MEASURED,
        source="swing of the counter's power with the phase of bursts",
    )  # fmt: skip


def _delay_s(polled: Polled, plan: LoadPlan) -> Estimate | None:
    """How late a power reading is on the mean: the area that a step of 1 misses, in seconds."""
    delays = []
    for step_s, next_s in pairwise(plan.steps_s):
        before = [w for _, w in polled.between(step_s - (next_s - step_s) / 4, step_s)]
        after = polled.between(step_s, next_s)
        settled = [w for s, w in after if s > (step_s + 3 * next_s) / 4]
        if not before or not settled:
            continue
        first_w, last_w = sum(before) / len(before), sum(settled) / len(settled)
        if abs(last_w - first_w) < LEAST_RISE * max(first_w, last_w):
            continue
        missed = 0.0
        for (from_s, from_w), (to_s, _) in pairwise([(step_s, first_w), *after]):
            missed += (to_s - from_s) * (last_w - from_w) / (last_w - first_w)
        delays.append(missed)
    return _mean(delays, "s", "area that the reading misses after a step of the load")


def _mean(values: Sequence[float], unit: str, source: str) -> Estimate | None:
    if len(values) < 2:
        return None
    point, low, high = mean_interval(values)
    return Estimate(
        point=point, low=low, high=high, unit=unit, confidence=0.95, basis=Basis.MEASURED,
        source=source,
    )  # fmt: skip
