"""Energy of targets from one cumulative counter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.statistics import t_quantile
from profiler.values.trace import Channel, CounterTrace, FaultKind, PowerTrace, Window

from . import findings as judgement
from .anchors import Spans
from .bracket import guaranteed_bounds, mean_within
from .coverage import TargetCoverage, measure_coverage, patience, unseen_j
from .cross_check import compare_sources
from .energies import ChannelEnergy
from .lag import lagging
from .moves import Floats, Moves, load_moves
from .question import Question
from .solve import solve

# Numbers by another estimator are told apart by this name (`profiler verify`): it changes whenever
# the same readings give another number.
ESTIMATOR = "segment model 7"
CONFIDENCE = 0.95
# Below it a lag cannot be told from a load that strays a little from its windows.
LEAST_LAG_S = 5e-3
LEAST_LOSS_S = 1.0
# The spread of each estimate comes from a few tens of intervals: t, not normal, tails.
DEGREES_OF_FREEDOM = 16.0
# No counter and no clock is known better than this, whatever the model makes of them.
LEAST_RELATIVE_WIDTH = 1e-4


def infer_counter(
    trace: CounterTrace,
    targets: Sequence[Sequence[Window]],
    windows: Sequence[Window],
    *,
    power: PowerTrace | None = None,
    now_s: float | None = None,
    question: Question | None = None,
) -> tuple[ChannelEnergy, ...]:
    """Joules of each target, with the guaranteed bracket and the segment model inside it.

    Args:
        trace: the moves of the counter.
        targets: windows whose energies are summed, one tuple a target.
        windows: all windows of the recording; their edges are where power may change.
        power: samples of the same device, which guard what the counter says.
        now_s: end of windows that are still open.
        question: the same targets and windows, where they have been laid out for another counter.
    """
    question = question or Question(targets, windows, now_s)
    moves, spans = load_moves(trace), question.spans
    if len(moves) < 2:
        return _unmoved(trace, moves, spans, now_s)
    cover = measure_coverage(moves, spans)
    shared = compare_sources(trace, moves, power)
    true_moves = moves
    chosen = cover.tellable
    intervals_j = np.full((spans.target_count, 3), np.nan)
    solution = None
    if chosen.any():
        solution = solve(moves, question.timeline, spans.of_targets(chosen))
        true_moves = lagging(moves, solution.lag)
        if solution.lag.lag_s >= LEAST_LAG_S:
            shared = (*shared, judgement.lagging_counter(trace.channel, solution.lag.lag_s))
    bounds_j = guaranteed_bounds(true_moves, spans)
    if solution is not None:
        unknown_j = unseen_j(moves, spans, cover)[chosen]
        intervals_j[chosen] = _intervals(
            solution.mean_j,
            solution.deviation_j,
            unknown_j,
            bounds_j[0][chosen],
            bounds_j[1][chosen],
        )
    breaks = _breaks_within(trace, moves, spans)
    return tuple(
        _channel_energy(trace, moves, seen, row, bound, (*breaks.get(number, ()), *shared))
        for number, (seen, row, bound) in enumerate(
            zip(
                cover.of_targets(),
                intervals_j.tolist(),
                np.stack(bounds_j, axis=1).tolist(),
                strict=True,
            )
        )
    )


def _intervals(
    mean_j: Floats, deviation_j: Floats, unknown_j: Floats, low_j: Floats, high_j: Floats
) -> Floats:
    """Point, low and high of each target, inside its bracket; shape (targets, 3).

    A mean outside the bracket refutes the model there: the interval then takes in how far outside
    it was, and up to half of the bracket.
    """
    point_j = mean_within(mean_j, deviation_j, low_j, high_j)
    moved_j = np.abs(mean_j - np.clip(mean_j, low_j, high_j))
    refuted = np.minimum(moved_j / np.maximum(deviation_j, 1e-12), 1.0)
    half_j = np.where(np.isfinite(high_j), (high_j - low_j) / 2, 0.0)
    width_j = np.sqrt(
        (t_quantile((1 + CONFIDENCE) / 2, DEGREES_OF_FREEDOM) * deviation_j) ** 2
        + unknown_j**2
        + (LEAST_RELATIVE_WIDTH * point_j) ** 2
        + moved_j**2
        + (refuted * half_j) ** 2
    )
    ends_j = np.maximum(point_j - width_j, low_j), np.minimum(point_j + width_j, high_j)
    return np.stack([point_j, *ends_j], axis=1)


def _channel_energy(
    trace: CounterTrace,
    moves: Moves,
    cover: TargetCoverage,
    interval_j: Sequence[float],
    bounds_j: Sequence[float],
    further: Sequence[Finding],
) -> ChannelEnergy:
    point, low, high = interval_j
    channel = trace.channel
    energy_j = None
    if not math.isnan(point):
        energy_j = Estimate(
            point=point, low=low, high=high, unit="J", confidence=CONFIDENCE,
            basis=channel.basis, source=f"{channel.source}, {ESTIMATOR}",
            systematic=channel.gain_error,
        )  # fmt: skip
    findings = (*_remarks(trace, moves, cover, energy_j), *further)
    return ChannelEnergy(energy_j=energy_j, bracket_j=(bounds_j[0], bounds_j[1]), findings=findings)


def _unmoved(
    trace: CounterTrace, moves: Moves, spans: Spans, now_s: float | None
) -> tuple[ChannelEnergy, ...]:
    """A counter that has not moved twice tells nothing yet, or is frozen."""
    until_s, begun_s = np.full((2, spans.target_count), np.nan)
    np.fmax.at(until_s, spans.target, spans.end_s)
    np.fmin.at(begun_s, spans.target, spans.start_s)
    results = []
    for end_s, start_s in zip(until_s.tolist(), begun_s.tolist(), strict=True):
        known = not math.isnan(end_s)
        last_s = end_s if known else now_s or 0.0
        finding = _why_unmoved(trace, moves, start_s if known else last_s, last_s)
        results.append(ChannelEnergy(energy_j=None, bracket_j=(0.0, math.inf), findings=(finding,)))
    return tuple(results)


def _why_unmoved(trace: CounterTrace, moves: Moves, begun_s: float, until_s: float) -> Finding:
    channel, last_s = trace.channel, trace.last_seen_s
    if last_s is None:
        return judgement.no_sensor(channel.device)
    since_s = float(moves.earliest_s[-1]) if len(moves) else begun_s
    if last_s - since_s > 2 * patience(moves):
        return judgement.frozen(channel, last_s - since_s, "while it was read")
    if until_s - last_s > max(2 * patience(moves), LEAST_LOSS_S):
        return judgement.lost(channel, until_s - last_s)
    return judgement.not_begun(channel)


def _remarks(
    trace: CounterTrace, moves: Moves, cover: TargetCoverage, energy_j: Estimate | None
) -> list[Finding]:
    channel = trace.channel
    patience_s = patience(moves)
    if cover.whole_s == 0:
        return [judgement.empty_window(channel)]
    remarks: list[Finding] = []
    if cover.after_s > patience_s:
        remarks.append(_why_silent(trace, moves, cover))
    elif cover.after_s > 0:
        remarks.append(judgement.not_closed(channel, cover.after_s))
    if cover.before_s > patience_s:
        remarks.append(judgement.not_opened(channel, cover.before_s))
    if energy_j is not None:
        short = judgement.too_short(energy_j, cover.whole_s, moves.period_s)
        if short is not None:
            remarks.append(short)
    return remarks


def _why_silent(trace: CounterTrace, moves: Moves, cover: TargetCoverage) -> Finding:
    last_s = float(moves.latest_s[-1])
    read_s = (trace.last_seen_s or last_s) - last_s
    if read_s > patience(moves):
        return judgement.frozen(trace.channel, read_s, "and has not moved since")
    return _why_unread(trace.channel, cover.after_s)


def _why_unread(channel: Channel, unseen_s: float) -> Finding:
    """On a busy machine a thread waits some tenths of a second for its turn to read."""
    if unseen_s > LEAST_LOSS_S:
        return judgement.lost(channel, unseen_s)
    return judgement.not_closed(channel, unseen_s)


def _breaks_within(trace: CounterTrace, moves: Moves, spans: Spans) -> dict[int, list[Finding]]:
    """What broke inside each target that anything broke in."""
    remarks: dict[int, list[Finding]] = {}
    for k in np.flatnonzero(~moves.solid):
        start_s, end_s = float(moves.earliest_s[k]), float(moves.latest_s[k + 1])
        if _is_suspension(trace, start_s, end_s):
            continue
        if trace.epoch[k] != trace.epoch[k + 1]:
            finding = judgement.reset(trace.channel)
        else:
            finding = judgement.frozen(trace.channel, end_s - start_s, "and lost energy")
        for target in _touched(spans, start_s, end_s):
            remarks.setdefault(target, []).append(finding)
    for fault in trace.faults:
        if fault.kind not in (FaultKind.UNREADABLE, FaultKind.LOST):
            continue
        end_s = math.inf if fault.end_s is None else fault.end_s
        for target in _touched(spans, fault.start_s, end_s):
            until_s = min(end_s, float(spans.end_s[spans.target == target].max()))
            finding = judgement.lost(trace.channel, max(until_s - fault.start_s, 0.0))
            remarks.setdefault(target, []).append(finding)
    return remarks


def _touched(spans: Spans, start_s: float, end_s: float) -> list[int]:
    inside = (spans.start_s < end_s) & (spans.end_s > start_s)
    found: list[int] = np.unique(spans.target[inside]).tolist()
    return found


def _is_suspension(trace: CounterTrace, start_s: float, end_s: float) -> bool:
    """Whether the machine was suspended there, which is told once for all channels."""
    return any(
        fault.kind is FaultKind.SUSPENDED and fault.start_s < end_s and fault.end_s >= start_s
        for fault in trace.faults
        if fault.end_s is not None
    )
