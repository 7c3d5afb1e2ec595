"""What to know before trusting a table of layers, as findings."""

from __future__ import annotations

import numpy as np

from profiler.machine.allocator import SYSTEM, allocator_in_use
from profiler.measurement.judgement import NOTABLE_SYSTEM_SHARE
from profiler.values.findings import Finding, estimate_only, no_sensor, stopped_by_budget
from profiler.values.repetition_findings import faulting, one_process

from .joules import Joules
from .replay_power import Powers
from .turns import SMALL_ROW_SHARE, JointTiming

OPEN_CLOSURE = 0.05


def judge(
    timing: JointTiming, joules: Joules, powers: Powers, *, precision: float, spent_s: float
) -> list[Finding]:
    """Findings about seconds and joules, those about the sensors aside.

    Args:
        timing: seconds of the rows.
        joules: of the rows.
        powers: watts that these come from.
        precision: relative half width that was asked for.
        spent_s: since the measurement began.
    """
    findings = [*timing.findings]
    if len(timing.timings) == 1 and not findings:
        findings.append(one_process())
    summary = timing.summary
    if timing.stopped_by == "budget":
        scale_s = np.maximum(summary.rows_s, SMALL_ROW_SHARE * summary.whole_s)
        worst = float((summary.rows_half_s / scale_s).max())
        reached = worst if np.isfinite(worst) else None
        findings.append(stopped_by_budget("the widest row's time", reached, precision, spent_s))
    if timing.strange_count:
        findings.append(_changing(timing))
    if abs(summary.closure - 1) > OPEN_CLOSURE + summary.closure_half:
        findings.append(_open_closure(summary.closure))
    findings += _paging(timing)
    if joules.whole_j is None:
        findings.append(no_sensor())
    elif not powers.is_measured:
        findings.append(estimate_only("the layers", joules.whole_j.source))
    return findings


def _paging(timing: JointTiming) -> list[Finding]:
    """Rows whose pages come and go have two states, and which of them a call is in is chance."""
    worst = max(timing.timings, key=lambda part: part.system_share)
    if worst.system_share <= NOTABLE_SYSTEM_SHARE or worst.page_faults_per_call < 1:
        return []
    is_system = allocator_in_use() == SYSTEM
    return [faulting(worst.page_faults_per_call, worst.system_share, is_system)]


def _changing(timing: JointTiming) -> Finding:
    used, strange = timing.run_count, timing.strange_count
    return Finding(
        kind="control-flow-changes",
        observed=f"{strange} of {used + strange} calls ran other modules than the first, and are "
        "left out",
        remedy="numbers hold for calls that run the modules of this table",
    )


def _open_closure(closure: float) -> Finding:
    return Finding(
        kind="closure-open",
        observed=f"the rows add up to {closure:.1%} of the whole model's time",
        remedy="do not read small rows as shares of the whole; quieten the machine and repeat",
    )
