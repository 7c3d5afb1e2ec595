"""Energy of targets from power samples, where there is no counter to trust."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.trace import Fault, FaultKind, PowerTrace, Window

from . import findings as judgement
from .energies import ChannelEnergy
from .moves import Floats
from .timeline import closed_span

Span = tuple[float, float]
CONFIDENCE = 0.95
NORMAL_95 = 1.96
UNSEEN_SHARE = 0.2
LONG_GAP_SAMPLES = 5.0
LONG_GAP_S = 0.5
SHORTEST_ZERO_RUN = 3
FEWEST_UPDATES = 3


def integrate_power(
    trace: PowerTrace,
    targets: Sequence[Sequence[Window]],
    windows: Sequence[Window],
    *,
    now_s: float | None = None,
) -> tuple[ChannelEnergy, ...]:
    """Joules of each target by the trapezoidal rule, with an interval taken from the samples.

    Args:
        trace: the samples. A reading stands for the middle of the span that its sensor averages.
        targets: windows whose energies are summed, one tuple a target.
        windows: all windows of the recording; power integrals do not need them.
        now_s: end of windows that are still open.
    """
    del windows  # one signature for every kind of trace
    results = []
    for target in targets:
        spans = [closed_span(window, now_s) for window in target]
        results.append(_integrate(trace, [span for span in spans if span[1] > span[0]]))
    return tuple(results)


def _integrate(trace: PowerTrace, spans: Sequence[Span]) -> ChannelEnergy:
    channel = trace.channel
    if not spans:
        return _nothing(judgement.empty_window(channel))
    if len(trace.time_s) < 2:
        kinds = {fault.kind for fault in trace.faults}
        if kinds == {FaultKind.ASLEEP}:
            return _nothing(judgement.asleep(channel, sum(end - start for start, end in spans)))
        return _nothing(judgement.no_sensor(channel.device))
    if max(trace.power_w) <= 0.0:
        return _nothing(judgement.zero_power(channel))
    asleep = [fault for fault in trace.faults if fault.kind is FaultKind.ASLEEP]
    awake = _without(spans, [_span_of(fault) for fault in asleep])
    asleep_s = sum(end - start for start, end in spans) - sum(end - start for start, end in awake)
    if not awake:
        return _nothing(judgement.asleep(channel, asleep_s))
    spans = awake
    if channel.longest_hold_s is not None:
        update_count = _updates_within(trace, spans)
        if update_count < FEWEST_UPDATES:
            return _nothing(judgement.stale(channel, update_count))
    duration_s = sum(end - start for start, end in spans)
    unseen_s = _unseen(trace, spans)
    if unseen_s > UNSEEN_SHARE * duration_s:
        return _nothing(judgement.lost(channel, unseen_s))
    summed = integral(trace, spans)
    if summed is None:
        return _nothing(judgement.no_sensor(channel.device))
    point, half_width = summed
    # Nobody saw what was drawn meanwhile: anything up to the highest power that was seen.
    half_width += (unseen_s + _unseen_beside(trace, asleep, awake)) * max(trace.power_w)
    energy_j = Estimate(
        point=point, low=max(point - half_width, 0.0), high=point + half_width, unit="J",
        confidence=CONFIDENCE, basis=channel.basis, source=f"{channel.source}, integrated",
        systematic=channel.gain_error,
        estimated_share=0.0,
    )  # fmt: skip
    findings: list[Finding] = []
    if asleep_s > 0:
        findings.append(judgement.asleep(channel, asleep_s))
    if unseen_s > _usual_spacing(trace) * LONG_GAP_SAMPLES:
        findings.append(judgement.lost(channel, unseen_s))
    short = judgement.too_short(energy_j, duration_s, channel.update_period_s)
    if short is not None:
        findings.append(short)
    return ChannelEnergy(energy_j=energy_j, bracket_j=None, findings=tuple(findings))


def _nothing(finding: Finding) -> ChannelEnergy:
    return ChannelEnergy(energy_j=None, bracket_j=None, findings=(finding,))


def _usual_spacing(trace: PowerTrace) -> float:
    return float(np.median(np.diff(trace.time_s)))


def _unseen(trace: PowerTrace, spans: Sequence[Span]) -> float:
    """Seconds of the spans that lie far from any believable sample."""
    time_s = np.asarray(trace.time_s)
    limit_s = max(
        LONG_GAP_SAMPLES * _usual_spacing(trace), LONG_GAP_S, 2 * (trace.channel.averaging_s or 0.0)
    )
    holes = [(-np.inf, time_s[0] - limit_s), (time_s[-1] + limit_s, np.inf)]
    # Where samples were thinned, only the faults still tell a hole from what was merged.
    thinned_s = -np.inf if trace.thinned_before_s is None else trace.thinned_before_s
    wide = np.flatnonzero((np.diff(time_s) > limit_s) & (time_s[1:] > thinned_s))
    holes += [(time_s[k], time_s[k + 1]) for k in wide]
    holes += [_span_of(f) for f in trace.faults if f.kind is not FaultKind.ASLEEP]
    holes += _zero_runs(trace)
    return sum(
        max(0.0, min(b, high) - max(a, low)) for a, b in spans for low, high in _united(holes)
    )


def _span_of(fault: Fault) -> Span:
    return fault.start_s, np.inf if fault.end_s is None else fault.end_s


def _without(spans: Sequence[Span], removed: Sequence[Span]) -> list[Span]:
    """What is left of the spans."""
    left = list(spans)
    for low, high in removed:
        cut = [pair for a, b in left for pair in ((a, min(b, low)), (max(a, high), b))]
        left = [(a, b) for a, b in cut if b > a]
    return left


def _unseen_beside(trace: PowerTrace, asleep: Sequence[Fault], spans: Sequence[Span]) -> float:
    """Seconds of the spans between a device's last sample before a sleep, or first one after it."""
    time_s = np.asarray(trace.time_s)
    unseen = []
    for start, end in map(_span_of, asleep):
        before, after = time_s[time_s <= start], time_s[time_s >= end]
        unseen += [(float(before[-1]), start)] if len(before) else []
        unseen += [(end, float(after[0]))] if len(after) else []
    return sum(max(0.0, min(b, high) - max(a, low)) for a, b in spans for low, high in unseen)


def _updates_within(trace: PowerTrace, spans: Sequence[Span]) -> int:
    """How often the value changed inside the spans: each change is a reading that is fresh."""
    time_s, power_w = np.asarray(trace.time_s), np.asarray(trace.power_w)
    changed_s = time_s[1:][np.diff(power_w) != 0]
    return sum(int(np.sum((changed_s >= a) & (changed_s <= b))) for a, b in spans)


def _zero_runs(trace: PowerTrace) -> list[Span]:
    """Spans in which the sensor read 0 W again and again: no device draws nothing."""
    dead = np.concatenate([[False], np.asarray(trace.power_w) <= 0.0, [False]])
    begins, ends = (
        np.flatnonzero(np.diff(dead.astype(int)) > 0),
        np.flatnonzero(np.diff(dead.astype(int)) < 0),
    )
    time_s = np.concatenate([[-np.inf], trace.time_s, [np.inf]])
    return [
        (float(time_s[first]), float(time_s[last + 1]))
        for first, last in zip(begins, ends, strict=True)
        if last - first >= SHORTEST_ZERO_RUN
    ]


def _united(spans: Sequence[Span]) -> list[Span]:
    united: list[Span] = []
    for low, high in sorted(spans):
        if united and low <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], high))
        else:
            united.append((low, high))
    return united


def integral(trace: PowerTrace, spans: Sequence[Span]) -> tuple[float, float] | None:
    """Joules of the spans and the half width of their 95 % interval; None without samples.

    Between updates of the sensor its value is one draw of the power there. The variance of the
    integral follows from successive differences, which a slow trend does not inflate (von Neumann
    et al., Annals of Mathematical Statistics 12, 1941, p. 153); the edges add what the delay and
    the averaging of the sensor can shift across them. A polled value is up to one update period
    old, by as much at every read of one phase, which moves both edges of a span together.
    """
    averaging_s = trace.channel.averaging_s or 0.0
    held_s = trace.channel.update_period_s or 0.0
    time_s = np.asarray(trace.time_s) - averaging_s / 2
    power_w = np.asarray(trace.power_w)
    if len(time_s) < 2:
        return None
    knots = np.concatenate([[0.0], np.cumsum(np.diff(time_s) * (power_w[1:] + power_w[:-1]) / 2)])
    run_s, run_w, run_start_s = _runs(time_s, power_w)
    resolution_w = trace.channel.resolution_w or 0.0
    blur_s = (
        averaging_s + (trace.channel.update_period_s or 0.0) + float(np.median(np.diff(time_s)))
    )
    total_j, variance = 0.0, 0.0
    for start, end in spans:
        total_j += _cumulative(time_s, power_w, knots, end)
        total_j -= _cumulative(time_s, power_w, knots, start)
        inside = (run_start_s + run_s > start) & (run_start_s < end)
        steps_w = np.diff(run_w[inside], prepend=run_w[inside][:1]) if inside.any() else power_w[:0]
        drawn_s = np.minimum(run_s[inside], held_s) if held_s else run_s[inside]
        variance += float(np.sum((drawn_s * steps_w) ** 2)) / 2
        variance += ((end - start) * resolution_w) ** 2 / 12
        rise_w = np.interp(end, time_s, power_w) - np.interp(start, time_s, power_w)
        variance += float(held_s * rise_w) ** 2 / 12
        if trace.channel.longest_hold_s is not None:
            # The readings at both edges may be as old as the runs that they belong to.
            longest_s = float(np.max(run_s[inside], initial=0.0))
            variance += 2 * (longest_s * float(np.ptp(power_w))) ** 2 / 12
        for edge in (start, end):
            near = power_w[(time_s > edge - 2 * blur_s) & (time_s < edge + 2 * blur_s)]
            jump_w = float(np.ptp(near)) if len(near) else float(np.ptp(power_w))
            variance += (blur_s * jump_w) ** 2 / 12
    return max(total_j, 0.0), NORMAL_95 * float(np.sqrt(variance))


def _cumulative(time_s: Floats, power_w: Floats, knots: Floats, instant: float) -> float:
    """Integral from the first sample; the end values hold beyond the ends."""
    if instant <= time_s[0]:
        return float((instant - time_s[0]) * power_w[0])
    if instant >= time_s[-1]:
        return float(knots[-1] + (instant - time_s[-1]) * power_w[-1])
    k = int(np.searchsorted(time_s, instant, side="right")) - 1
    share = (instant - time_s[k]) / (time_s[k + 1] - time_s[k])
    value_w = power_w[k] + share * (power_w[k + 1] - power_w[k])
    return float(knots[k] + (instant - time_s[k]) * (power_w[k] + value_w) / 2)


def _runs(time_s: Floats, power_w: Floats) -> tuple[Floats, Floats, Floats]:
    """Lengths, values and starts of runs of one value: updates of the sensor, not reads of it."""
    begins = np.flatnonzero(np.concatenate([[True], np.diff(power_w) != 0]))
    starts_s = time_s[begins]
    spacing_s = float(np.median(np.diff(time_s)))
    lengths_s = np.diff(np.concatenate([starts_s, [time_s[-1] + spacing_s]]))
    return lengths_s, power_w[begins], starts_s
