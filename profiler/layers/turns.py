"""Processes time the layers by turns, until all together know them well enough.

A process settles into a state of its own (where its memory lies, which pages it keeps), which all
its rounds share: the independent values are the means of the processes, as they are for the whole
model (`values/statistics.py:process_interval`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from profiler.meters.clock import Clock
from profiler.values.findings import Finding
from profiler.values.repetition_findings import one_slow_process
from profiler.values.statistics import t_quantile

from .shared_spread import half_widths_of_shares
from .structure import Structure
from .timing import Timing
from .trimmed_mean import Floats, Summary

TURNS, FIRST_TURN_S = 6, 0.5
FEWEST_ROUNDS = 8
SMALL_ROW_SHARE = 0.01


class Timer(Protocol):
    """Times the layers in one process."""

    def advance(self, seconds: float) -> Timing:
        """Go on for so long; everything that is known since the first turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTiming:
    """What all processes together have shown.

    Args:
        summary: seconds, with intervals over the processes.
        timings: of each process.
        stopped_by: "precision" or "budget".
        findings: about the processes.
    """

    summary: Summary
    timings: tuple[Timing, ...]
    stopped_by: str
    findings: tuple[Finding, ...] = ()

    @property
    def run_count(self) -> int:
        """Calls with stamps that were used."""
        return sum(timing.run_count for timing in self.timings)

    @property
    def strange_count(self) -> int:
        """Calls of the model that ran other modules than the survey's."""
        return sum(timing.strange_count for timing in self.timings)


def time_by_turns(
    timers: Sequence[Timer],
    *,
    precision: float,
    deadline_s: float,
    seed: int,
    clock: Clock,
    tell: Callable[[float], None],
) -> JointTiming:
    """Let processes work one at a time, in random order, until it is enough.

    Args:
        timers: one a process.
        precision: relative half width at which to stop; see `Summary.precise`.
        deadline_s: instant of the clock at which to stop.
        seed: of the order.
        clock: what time it is.
        tell: told the share of the time that is spent.

    Raises:
        MeasurementError: no two calls of the model ran the same modules.
    """
    begun_s = clock.now_s()
    span_s = max(0.0, deadline_s - begun_s)
    generator = random.Random(seed)
    latest: dict[int, Timing] = {}
    findings: tuple[Finding, ...] = ()
    longest_s = FIRST_TURN_S
    while True:
        left_s = max(0.0, deadline_s - clock.now_s())
        turn_s = min(span_s / TURNS, left_s, longest_s * len(timers)) / len(timers)
        for number in generator.sample(range(len(timers)), len(timers)):
            latest[number] = timers[number].advance(turn_s)
            tell(min(1.0, (clock.now_s() - begun_s) / max(span_s, 1e-9)))
            round_s = latest[number].round_s
            if len(latest) < len(timers) and 2 * round_s * len(timers) > span_s:
                findings = (one_slow_process(len(timers), round_s, span_s),)
                timers, latest = [timers[number]], {0: latest[number]}
                break
        longest_s *= 2
        timings = tuple(latest.values())
        if all(timing.round_count >= FEWEST_ROUNDS for timing in timings):
            joint = over_processes(_summaries(timings))
            if joint.precise(precision, SMALL_ROW_SHARE):
                return _joined(joint, timings, "precision", findings)
        next_s = sum(timing.round_s for timing in timings)
        is_full = any(timing.is_full for timing in timings)
        if is_full or clock.now_s() + next_s > deadline_s:
            return _joined(over_processes(_summaries(timings)), timings, "budget", findings)


def _joined(
    summary: Summary, timings: tuple[Timing, ...], stopped_by: str, findings: tuple[Finding, ...]
) -> JointTiming:
    return JointTiming(summary=summary, timings=timings, stopped_by=stopped_by, findings=findings)


def _summaries(timings: Sequence[Timing]) -> list[Summary]:
    if len({timing.positions for timing in timings}) > 1:
        raise Structure.changes_from_call_to_call()
    summaries = [timing.summary for timing in timings if timing.summary is not None]
    if not summaries:
        raise Structure.changes_from_call_to_call()
    return summaries


def over_processes(summaries: Sequence[Summary]) -> Summary:
    """Means over processes: random effects, Student's t, never narrower than their own intervals.

    The processes run by turns. What drifts moves all of them alike and is seen inside each only, so
    that the half width is at least that of the mean of their own ones, whose degrees of freedom add
    up. Shares of the time have intervals by the spread of all rows (`shared_spread.py`).
    """
    if len(summaries) == 1:
        return summaries[0]
    rows = np.array([part.rows_s for part in summaries])
    wholes = np.array([[part.whole_s, part.closure] for part in summaries])
    shares = np.array([part.shares for part in summaries])
    rows_half_s = _wider(
        _between(rows), _within(summaries, [part.rows_half_s for part in summaries])
    )
    shares_half = _wider(
        half_widths_of_shares(shares), _within(summaries, [part.shares_half for part in summaries])
    )
    whole_half_s, closure_half = _wider(
        _between(wholes),
        _within(summaries, [np.array([p.whole_half_s, p.closure_half]) for p in summaries]),
    )
    rows_s, whole_s = rows.mean(axis=0), float(wholes[:, 0].mean())
    return Summary(
        whole_s=whole_s,
        whole_half_s=float(whole_half_s),
        own_s=np.mean([part.own_s for part in summaries], axis=0),
        rows_s=rows_s,
        rows_half_s=rows_half_s,
        shares_half=shares_half,
        closure=float(rows_s.sum() / whole_s),
        closure_half=float(closure_half),
        freedom=len(summaries) - 1.0,
    )


def _between(values: Floats) -> Floats:
    """Student's t on the processes' values, shape (processes, ...)."""
    count = len(values)
    spread = values.std(axis=0, ddof=1)
    return np.asarray(t_quantile(0.975, count - 1) * spread / np.sqrt(count))


def _within(summaries: Sequence[Summary], halves: Sequence[Floats]) -> Floats:
    """Half width of the mean of values that have such half widths; 0 where one of them has none."""
    freedoms = [part.freedom for part in summaries]
    if min(freedoms) <= 0:  # one round alone has no interval; the processes have one all the same
        return np.zeros_like(halves[0])
    errors = [
        half / t_quantile(0.975, freedom) for half, freedom in zip(halves, freedoms, strict=True)
    ]
    error = np.sqrt(np.square(errors).sum(axis=0)) / len(errors)
    return np.asarray(t_quantile(0.975, sum(freedoms)) * error)


def _wider(first: Floats, second: Floats) -> Floats:
    return np.asarray(np.maximum(first, second))
