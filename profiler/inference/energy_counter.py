"""Energy of targets from one cumulative counter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.trace import CounterTrace, FaultKind, PowerTrace, Window

from . import findings as judgement
from .bracket import guaranteed_bounds
from .cross_check import compare_sources
from .energies import ChannelEnergy
from .lag import lagging
from .mixture import truncated_interval
from .moves import Moves, load_moves
from .samples import load_samples
from .solve import Densities, cut_target, solve
from .timeline import Timeline, closed_span

Span = tuple[float, float]
PATIENCE_PERIODS = 2.5
UNKNOWN_SHARE = 0.2
CONFIDENCE = 0.95
# Below it a lag cannot be told from a load that strays a little from its windows.
LEAST_LAG_S = 5e-3
# No counter and no clock is known better than this, whatever the model makes of them.
LEAST_RELATIVE_WIDTH = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of a target the counter can tell, in seconds."""

    known_s: float
    before_s: float
    after_s: float
    broken_s: float

    @property
    def unknown_s(self) -> float:
        """Time in which the counter's energy is not known."""
        return self.before_s + self.after_s + self.broken_s


def infer_counter(
    trace: CounterTrace,
    targets: Sequence[Sequence[Window]],
    windows: Sequence[Window],
    *,
    power: PowerTrace | None = None,
    now_s: float | None = None,
) -> tuple[ChannelEnergy, ...]:
    """Joules of each target, with the guaranteed bracket and the segment model inside it.

    Args:
        trace: the moves of the counter.
        targets: windows whose energies are summed, one tuple a target.
        windows: all windows of the recording; their edges are where power may change.
        power: samples of the same device, which sharpen what the counter says where they fit it,
            and guard it.
        now_s: end of windows that are still open.
    """
    spans = [[closed_span(window, now_s) for window in target] for target in targets]
    spans = [[span for span in target if span[1] > span[0]] for target in spans]
    moves = load_moves(trace)
    if len(moves) < 2:
        return tuple(_unmoved(trace, moves, target, now_s) for target in spans)
    covers = [_coverage(moves, target) for target in spans]
    usable = [
        bool(target) and _tellable(moves, cover)
        for target, cover in zip(spans, covers, strict=True)
    ]
    pieces = [cut_target(moves, target) for target, ok in zip(spans, usable, strict=True) if ok]
    samples = load_samples(power, moves)
    found = solve(moves, Timeline(windows, now_s), pieces, samples) if pieces else None
    shared = compare_sources(trace, moves, power)
    if found is not None:
        shared = (*shared, *_lag_remarks(trace, found))
    true_moves = moves if found is None else lagging(moves, found.lags)
    results, place = [], 0
    for target, cover, ok in zip(spans, covers, usable, strict=True):
        bounds = guaranteed_bounds(true_moves, target)
        energy_j = None
        if ok and found is not None:
            energy_j = _estimate(trace, found, place, bounds)
            unseen_j = _unseen_j(moves, target, cover)
            least_j = LEAST_RELATIVE_WIDTH * energy_j.point
            energy_j = _widened(energy_j, math.hypot(unseen_j, least_j), bounds)
            place += 1
        findings = (*_remarks(trace, moves, target, cover, energy_j), *shared)
        results.append(ChannelEnergy(energy_j=energy_j, bracket_j=bounds, findings=findings))
    return tuple(results)


def _estimate(
    trace: CounterTrace, found: Densities, place: int, bounds: tuple[float, float]
) -> Estimate:
    point, low, high = truncated_interval(
        found.shares, found.means_j[place], found.deviations_j[place], bounds
    )
    return Estimate(
        point=point, low=low, high=high, unit="J", confidence=CONFIDENCE,
        basis=trace.channel.basis, source=f"{trace.channel.source}, segment model",
        systematic=trace.channel.gain_error,
    )  # fmt: skip


def _unseen_j(moves: Moves, target: Sequence[Span], cover: Coverage) -> float:
    """Joules by which the part of a target that the counter never told may stray.

    What a device did while its counter was lost or began anew is known to nobody: it may have drawn
    nothing, or as much again as the most that was seen. The wait for a move at either end is no
    such part.
    """
    patience_s = PATIENCE_PERIODS * (moves.period_s or 0.1)
    ends_s = [s for s in (cover.before_s, cover.after_s) if s > patience_s]
    unseen_s = cover.broken_s + sum(ends_s)
    if unseen_s == 0.0:
        return 0.0
    begin_s, end_s = min(start for start, _ in target), max(end for _, end in target)
    near = moves.solid & (moves.middle_s[1:] > begin_s) & (moves.middle_s[:-1] < end_s)
    spans_s = np.maximum(np.diff(moves.middle_s), 1e-9)
    powers_w = (np.diff(moves.energy_j) / spans_s)[near if near.any() else moves.solid]
    return unseen_s * float(powers_w.max(initial=0.0))


def _widened(energy_j: Estimate, unseen_j: float, bounds: tuple[float, float]) -> Estimate:
    if energy_j.low is None or energy_j.high is None:
        return energy_j
    below = math.hypot(energy_j.point - energy_j.low, unseen_j)
    above = math.hypot(energy_j.high - energy_j.point, unseen_j)
    low, high = max(energy_j.point - below, bounds[0]), min(energy_j.point + above, bounds[1])
    return replace(energy_j, low=min(low, energy_j.point), high=max(high, energy_j.point))


def _lag_remarks(trace: CounterTrace, found: Densities) -> list[Finding]:
    none_share = sum(share for share, lag in found.lags if lag.lag_s == 0.0)
    if none_share >= 0.05:
        return []
    lag_s = sum(share * lag.lag_s for share, lag in found.lags)
    return [judgement.lagging_counter(trace.channel, lag_s)] if lag_s >= LEAST_LAG_S else []


def _unmoved(
    trace: CounterTrace, moves: Moves, target: Sequence[Span], now_s: float | None
) -> ChannelEnergy:
    """A counter that has not moved twice tells nothing yet, or is frozen."""
    channel = trace.channel
    period_s = moves.period_s or 0.1
    until_s = max([end for _, end in target], default=now_s or 0.0)
    begun_s = min([start for start, _ in target], default=until_s)
    last_s = trace.last_seen_s
    findings: list[Finding] = []
    if last_s is None:
        findings.append(judgement.no_sensor(channel.device))
    else:
        since_s = float(moves.earliest_s[-1]) if len(moves) else begun_s
        if last_s - since_s > 5 * period_s:
            findings.append(judgement.frozen(channel, last_s - since_s, "while it was read"))
        elif until_s - last_s > 5 * period_s:
            findings.append(judgement.lost(channel, until_s - last_s))
        else:
            findings.append(judgement.not_begun(channel))
    return ChannelEnergy(energy_j=None, bracket_j=(0.0, math.inf), findings=tuple(findings))


def _coverage(moves: Moves, target: Sequence[Span]) -> Coverage:
    middle_s = moves.middle_s
    broken = np.flatnonzero(~moves.solid)
    known = before = after = gone = 0.0
    for start, end in target:
        before += max(0.0, min(end, middle_s[0]) - start)
        after += max(0.0, end - max(start, middle_s[-1]))
        inside = max(0.0, min(end, middle_s[-1]) - max(start, middle_s[0]))
        lost = sum(max(0.0, min(end, middle_s[k + 1]) - max(start, middle_s[k])) for k in broken)
        known += inside - lost
        gone += lost
    return Coverage(
        known_s=float(known), before_s=float(before), after_s=float(after), broken_s=float(gone)
    )


def _tellable(moves: Moves, cover: Coverage) -> bool:
    """Whether the neighbourhood can stand in for what the counter did not show.

    One period at either end is the ordinary wait for a move. Beyond it, or around a reset, the
    segment model may fill a small share of a target, never most of it.
    """
    patience_s = PATIENCE_PERIODS * (moves.period_s or 0.1)
    whole_s = cover.known_s + cover.unknown_s
    if cover.after_s > patience_s or cover.before_s > patience_s:
        return cover.unknown_s < UNKNOWN_SHARE * whole_s
    return cover.broken_s <= UNKNOWN_SHARE * whole_s or cover.broken_s == 0.0


def _remarks(
    trace: CounterTrace,
    moves: Moves,
    target: Sequence[Span],
    cover: Coverage,
    energy_j: Estimate | None,
) -> list[Finding]:
    channel = trace.channel
    period_s = moves.period_s or 0.1
    remarks: list[Finding] = []
    if not target:
        return [judgement.empty_window(channel)]
    if cover.after_s > PATIENCE_PERIODS * period_s:
        remarks.append(_why_silent(trace, moves, cover))
    elif cover.after_s > 0:
        remarks.append(judgement.not_closed(channel, cover.after_s))
    if cover.before_s > PATIENCE_PERIODS * period_s:
        remarks.append(judgement.not_opened(channel, cover.before_s))
    remarks += _breaks_within(trace, moves, target)
    duration_s = cover.known_s + cover.unknown_s
    if energy_j is not None:
        short = judgement.too_short(energy_j, duration_s, moves.period_s)
        if short is not None:
            remarks.append(short)
    return remarks


def _why_silent(trace: CounterTrace, moves: Moves, cover: Coverage) -> Finding:
    last_s = float(moves.latest_s[-1])
    read_s = (trace.last_seen_s or last_s) - last_s
    if read_s > PATIENCE_PERIODS * (moves.period_s or 0.1):
        return judgement.frozen(trace.channel, read_s, "and has not moved since")
    return judgement.lost(trace.channel, cover.after_s)


def _breaks_within(trace: CounterTrace, moves: Moves, target: Sequence[Span]) -> list[Finding]:
    remarks = []
    for k in np.flatnonzero(~moves.solid):
        start, end = float(moves.earliest_s[k]), float(moves.latest_s[k + 1])
        if not any(a < end and b > start for a, b in target):
            continue
        if _is_suspension(trace, start, end):
            continue
        if trace.epoch[k] != trace.epoch[k + 1]:
            remarks.append(judgement.reset(trace.channel))
        else:
            remarks.append(judgement.frozen(trace.channel, end - start, "and lost energy"))
    for fault in trace.faults:
        end_s = math.inf if fault.end_s is None else fault.end_s
        unread = fault.kind in (FaultKind.UNREADABLE, FaultKind.LOST)
        if unread and any(a < end_s and b > fault.start_s for a, b in target):
            until_s = min(end_s, max(b for _, b in target))
            remarks.append(judgement.lost(trace.channel, max(until_s - fault.start_s, 0.0)))
    return remarks


def _is_suspension(trace: CounterTrace, start_s: float, end_s: float) -> bool:
    """Whether the machine was suspended there, which is told once for all channels."""
    return any(
        fault.kind is FaultKind.SUSPENDED and fault.start_s < end_s and fault.end_s >= start_s
        for fault in trace.faults
        if fault.end_s is not None
    )
