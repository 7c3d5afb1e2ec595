"""Watts x seconds: joules of every row inside one call of the model, and how they add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from profiler.values.estimate import Basis, Estimate, weakest

from .replay_power import Powers
from .trimmed_mean import Summary

OWN_SOURCE = "mean power of the whole model, between the lowest and the highest of its layers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joules:
    """What the rows draw, and their sum over what the whole draws.

    Args:
        rows_j: by position of the module; None where part of its work has no watts.
        whole_j: of one call of the model.
        closure: sum of the rows over the whole.
    """

    rows_j: dict[int, Estimate | None]
    whole_j: Estimate | None
    closure: Estimate | None


def seconds_of(point_s: float, half_s: float, source: str) -> Estimate:
    """Measured seconds; an infinite half width is no interval."""
    return _measured(point_s, half_s, "s", source)


def share_of(point: float, half: float, source: str) -> Estimate:
    """A measured share of 1; an infinite half width is no interval."""
    return _measured(point, half, "", source)


def _measured(point: float, half: float, unit: str, source: str) -> Estimate:
    point = max(point, 0.0)
    known = math.isfinite(half)
    return Estimate(
        point=point,
        low=max(0.0, point - half) if known else None,
        high=point + half if known else None,
        unit=unit,
        confidence=0.95 if known else None,
        basis=Basis.MEASURED,
        source=source,
    )


def shared_joules(summary: Summary, positions: Sequence[int], powers: Powers) -> Joules:
    """Each row's share of the time, of the joules of the whole: `--method hooks`."""
    whole_w = powers.whole_w
    if whole_w is None:
        return Joules(rows_j=dict.fromkeys(positions), whole_j=None, closure=None)
    spread = replace(
        whole_w,
        basis=weakest((Basis.ESTIMATED, whole_w.basis)),
        source=f"share of the time, of the joules of the whole ({whole_w.source})",
        estimated_share=1.0,
    )
    rows_j: dict[int, Estimate | None] = {
        position: _energy(spread, _row_s(summary, position)) for position in positions
    }
    closure = ratio(
        summary.closure, summary.closure_half, spread.basis, "the closure of time, by construction"
    )
    return Joules(rows_j=rows_j, whole_j=_whole_j(summary, whole_w), closure=closure)


def replayed_joules(
    summary: Summary,
    row_of: Sequence[int],
    child_counts: Sequence[int],
    name_of: dict[int, str],
    powers: Powers,
) -> Joules:
    """Watts of each replay x the seconds of the calls that it stands for.

    Args:
        summary: seconds in situ.
        row_of: shape (calls,), row of each call.
        child_counts: shape (calls,); the own work of a call with children cannot be replayed.
        name_of: name of the replay of each call that has one.
        powers: watts by name.
    """
    whole_w = powers.whole_w
    positions = sorted(set(row_of))
    if whole_w is None:
        return Joules(rows_j=dict.fromkeys(positions), whole_j=None, closure=None)
    between_w = _between(whole_w, powers)
    seconds: dict[int, dict[str, float]] = {position: {} for position in positions}
    holes: set[int] = set()
    for ordinal, position in enumerate(row_of):
        name = "" if child_counts[ordinal] else name_of.get(ordinal)
        if name is None or (name and name not in powers.by_name):
            holes.add(position)
            continue
        own = seconds[position]
        own[name] = own.get(name, 0.0) + float(summary.own_s[ordinal])
    rows_j: dict[int, Estimate | None] = {}
    for position in positions:
        watts = _mixed(seconds[position], powers, between_w)
        if watts is None or position in holes:
            rows_j[position] = None
        else:
            rows_j[position] = _energy(watts, _row_s(summary, position))
    whole_j = _whole_j(summary, whole_w)
    closure = _closure(summary, seconds, holes, powers, between_w, rows_j, whole_j)
    return Joules(rows_j=rows_j, whole_j=whole_j, closure=closure)


def _between(whole_w: Estimate, powers: Powers) -> Estimate:
    """Power of work that cannot be replayed: anything between the extremes of what was seen."""
    seen = powers.by_name.values()
    lows = [power.point if power.low is None else power.low for power in seen]
    highs = [power.point if power.high is None else power.high for power in seen]
    return replace(
        whole_w,
        low=min(*lows, whole_w.point),
        high=max(*highs, whole_w.point),
        confidence=0.95,
        basis=weakest((Basis.ESTIMATED, whole_w.basis)),
        source=OWN_SOURCE,
        estimated_share=1.0,
    )


def _mixed(seconds: dict[str, float], powers: Powers, between_w: Estimate) -> Estimate | None:
    """Mean power over the kinds of work of one row, by their seconds."""
    if not seconds:
        return None
    watts = {name: powers.by_name[name] if name else between_w for name in seconds}
    if len(watts) == 1:
        return next(iter(watts.values()))
    whole_s = sum(max(value, 0.0) for value in seconds.values()) or 1.0
    shares = {name: max(value, 0.0) / whole_s for name, value in seconds.items()}
    point_w = math.fsum(shares[name] * watts[name].point for name in watts)
    half_w = math.hypot(*(shares[name] * (watts[name].half_width or 0.0) for name in watts))
    first = next(iter(watts.values()))
    return replace(
        first,
        point=point_w,
        low=max(0.0, point_w - half_w),
        high=point_w + half_w,
        confidence=0.95,
        basis=weakest(power.basis for power in watts.values()),
        estimated_share=math.fsum(shares[n] * watts[n].estimated_share for n in watts),
    )


def _closure(
    summary: Summary,
    seconds: dict[int, dict[str, float]],
    holes: set[int],
    powers: Powers,
    between_w: Estimate,
    rows_j: dict[int, Estimate | None],
    whole_j: Estimate,
) -> Estimate:
    """Sum of the rows over the whole; errors that rows share are added before they are squared."""
    whole_w = powers.whole_w or between_w
    by_name: dict[str, float] = {}
    for position, own in seconds.items():
        if position not in holes:
            for name, value in own.items():
                by_name[name] = by_name.get(name, 0.0) + max(value, 0.0)
    known = [row for row in rows_j.values() if row is not None]
    closure = math.fsum(row.point for row in known) / whole_j.point
    of_time = closure * summary.closure_half / summary.closure
    of_whole = closure * (whole_w.relative_half_width or 0.0)
    of_watts = [
        (powers.by_name[name].half_width or 0.0) * value / whole_j.point
        for name, value in by_name.items()
        if name
    ]
    outside = (between_w.half_width or 0.0) * by_name.get("", 0.0) / whole_j.point
    half = math.hypot(of_time, of_whole, *of_watts) + outside
    basis = weakest([whole_j.basis, *(row.basis for row in known)])
    source = "sum of the rows over the whole model, watts and seconds apart"
    estimated = math.fsum(row.point * row.estimated_share for row in known)
    share = estimated / (closure * whole_j.point) if closure else 0.0
    return replace(ratio(closure, half, basis, source), estimated_share=share)


def ratio(point: float, half: float, basis: Basis, source: str) -> Estimate:
    """A closure: 1 where nothing is missing."""
    known = math.isfinite(half)
    return Estimate(
        point=point,
        low=max(0.0, point - half) if known else None,
        high=point + half if known else None,
        unit="x",
        confidence=0.95 if known else None,
        basis=basis,
        source=source,
    )


def _row_s(summary: Summary, position: int) -> Estimate:
    return seconds_of(
        float(summary.rows_s[position]), float(summary.rows_half_s[position]), "in situ"
    )


def _whole_j(summary: Summary, whole_w: Estimate) -> Estimate:
    return _energy(whole_w, seconds_of(summary.whole_s, summary.whole_half_s, "whole"))


def _energy(power_w: Estimate, latency_s: Estimate) -> Estimate:
    """Watts x seconds; errors independent of each other."""
    point_j = power_w.point * latency_s.point
    sides = [
        math.hypot(_side(power_w, sign) * latency_s.point, _side(latency_s, sign) * power_w.point)
        for sign in (-1, 1)
    ]
    known = latency_s.low is not None
    return replace(
        power_w,
        point=point_j,
        low=max(0.0, point_j - sides[0]) if known else None,
        high=point_j + sides[1] if known else None,
        unit="J",
        confidence=0.95 if known else None,
        source=f"{power_w.source}, x seconds in situ",
    )


def _side(estimate: Estimate, sign: int) -> float:
    end = estimate.low if sign < 0 else estimate.high
    return 0.0 if end is None else abs(end - estimate.point)
