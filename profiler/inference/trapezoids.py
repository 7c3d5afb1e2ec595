"""Energy of targets from power samples, where there is no counter to trust."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.trace import Fault, FaultKind, PowerTrace, Window

from . import findings as judgement
from .coverage import MOST_WAITING
from .energies import ChannelEnergy
from .power_samples import LONG_GAP_SAMPLES, PowerSamples, Span, span_of
from .timeline import closed_span

CONFIDENCE = 0.95
UNSEEN_SHARE = 0.2
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
    samples = PowerSamples(trace) if len(trace.time_s) > 1 else None
    results = []
    for target in targets:
        spans = [closed_span(window, now_s) for window in target]
        results.append(_integrate(trace, samples, [span for span in spans if span[1] > span[0]]))
    return tuple(results)


def _integrate(
    trace: PowerTrace, samples: PowerSamples | None, spans: Sequence[Span]
) -> ChannelEnergy:
    channel = trace.channel
    if not spans:
        return _nothing(judgement.empty_window(channel))
    if samples is None:
        kinds = {fault.kind for fault in trace.faults}
        if kinds == {FaultKind.ASLEEP}:
            return _nothing(judgement.asleep(channel, sum(end - start for start, end in spans)))
        return _nothing(judgement.no_sensor(channel.device))
    if samples.most_w <= 0.0:
        return _nothing(judgement.zero_power(channel))
    asleep = [fault for fault in trace.faults if fault.kind is FaultKind.ASLEEP]
    awake = _without(spans, [span_of(fault) for fault in asleep])
    asleep_s = sum(end - start for start, end in spans) - sum(end - start for start, end in awake)
    if not awake:
        return _nothing(judgement.asleep(channel, asleep_s))
    spans = awake
    if channel.longest_hold_s is not None:
        update_count = samples.update_count(spans)
        if update_count < FEWEST_UPDATES:
            return _nothing(judgement.stale(channel, update_count))
    duration_s = sum(end - start for start, end in spans)
    unseen_s = samples.unseen_s(spans)
    if unseen_s > UNSEEN_SHARE * duration_s:
        return _nothing(judgement.lost(channel, unseen_s))
    waiting_s = samples.waiting_s(spans)
    if waiting_s > MOST_WAITING * duration_s:
        return _nothing(judgement.not_sampled(channel, waiting_s))
    point, half_width = samples.integral(spans)
    # Nobody saw what was drawn meanwhile: anything up to the highest power that was seen.
    untold_s = unseen_s + waiting_s + _unseen_beside(samples, asleep, awake)
    half_width += untold_s * samples.most_w
    energy_j = Estimate(
        point=point, low=max(point - half_width, 0.0), high=point + half_width, unit="J",
        confidence=CONFIDENCE, basis=channel.basis, source=f"{channel.source}, integrated",
        systematic=channel.gain_error,
        estimated_share=0.0,
    )  # fmt: skip
    findings: list[Finding] = []
    if asleep_s > 0:
        findings.append(judgement.asleep(channel, asleep_s))
    if unseen_s > samples.spacing_s * LONG_GAP_SAMPLES:
        findings.append(judgement.lost(channel, unseen_s))
    short = judgement.too_short(energy_j, duration_s, channel.update_period_s)
    if short is not None:
        findings.append(short)
    return ChannelEnergy(energy_j=energy_j, bracket_j=None, findings=tuple(findings))


def _nothing(finding: Finding) -> ChannelEnergy:
    return ChannelEnergy(energy_j=None, bracket_j=None, findings=(finding,))


def _without(spans: Sequence[Span], removed: Sequence[Span]) -> list[Span]:
    """What is left of the spans."""
    left = list(spans)
    for low, high in removed:
        cut = [pair for a, b in left for pair in ((a, min(b, low)), (max(a, high), b))]
        left = [(a, b) for a, b in cut if b > a]
    return left


def _unseen_beside(samples: PowerSamples, asleep: Sequence[Fault], spans: Sequence[Span]) -> float:
    """Seconds of the spans between a device's last sample before a sleep, or first one after it."""
    time_s = samples.time_s
    unseen = []
    for start, end in map(span_of, asleep):
        before, after = time_s[time_s <= start], time_s[time_s >= end]
        unseen += [(float(before[-1]), start)] if len(before) else []
        unseen += [(end, float(after[0]))] if len(after) else []
    return sum(max(0.0, min(b, high) - max(a, low)) for a, b in spans for low, high in unseen)
