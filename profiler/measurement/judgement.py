"""What a measurement's own numbers say about how far to trust it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from profiler.inference.call_cost import CallCost
from profiler.machine.allocator import SYSTEM
from profiler.values.estimate import Basis
from profiler.values.findings import Finding, estimate_only, idle_drifted, part_assumed
from profiler.values.profile import Workload
from profiler.values.repetition import Block, CpuAccount, Repetition
from profiler.values.repetition_findings import (
    blocks_disturbed,
    faulting,
    mostly_disturbed,
    often_interrupted,
    one_process,
    processes_differ,
)
from profiler.values.statistics import block_interval

TOO_SHORT = "too-short"
NOTABLE_SYSTEM_SHARE = 0.03
NOTABLE_SPREAD = 0.03
NOTABLE_SWITCHES_PER_S = 100.0


def judge_idle(cost: CallCost) -> list[Finding]:
    """Whether idle power before and after agree."""
    before_w, after_w = cost.idle_before_w, cost.idle_after_w
    if before_w is None or after_w is None or cost.power_w is None:
        return []
    if abs(before_w - after_w) > max(0.1 * max(before_w, after_w), 0.02 * cost.power_w.point):
        return [idle_drifted(before_w, after_w)]
    return []


def judge_basis(cost: CallCost) -> list[Finding]:
    """Which parts of the joules no sensor saw."""
    findings = []
    everything_j = sum(part.energy_j.point for part in cost.parts if part.in_total)
    for part in cost.parts:
        if part.energy_j.basis is Basis.ESTIMATED:
            findings.append(estimate_only(part.device, part.energy_j.source))
        elif part.energy_j.basis is Basis.ASSUMED and everything_j > 0 and part.in_total:
            findings.append(part_assumed(part.device, part.energy_j.point / everything_j))
    return findings


def without_window_advice(findings: Sequence[Finding]) -> list[Finding]:
    """Advice on a single window is beside the point: blocks are repeated as long as is asked."""
    return [finding for finding in findings if finding.kind != TOO_SHORT]


def judge_repetition(repetition: Repetition, workload: Workload) -> list[Finding]:
    """What the blocks and the processes say about each other, and what the kernel says to that."""
    blocks = repetition.counted
    findings = []
    disturbed = [block for block in repetition.blocks if block.is_disturbed]
    others = _mean(disturbed, lambda account: account.other_cpu_s)
    waits = _mean(disturbed, lambda account: account.run_queue_wait_s)
    if repetition.is_contended:
        findings.append(mostly_disturbed(len(disturbed), len(repetition.blocks), others, waits))
    elif disturbed:
        findings.append(blocks_disturbed(len(disturbed), len(repetition.blocks), others, waits))
    if repetition.process_count == 1 and not repetition.is_fresh:
        findings.append(one_process())
    centres_s = _centres_s(blocks)
    if len(centres_s) > 1 and max(centres_s) > (1 + NOTABLE_SPREAD) * min(centres_s):
        findings.append(processes_differ(min(centres_s), max(centres_s), len(centres_s)))
    return findings + _judge_kernel(blocks, workload)


def _judge_kernel(blocks: Sequence[Block], workload: Workload) -> list[Finding]:
    findings = []
    calls = sum(block.call_count for block in blocks)
    seconds = sum(block.duration_s for block in blocks)
    faults = _total(blocks, lambda account: account.minor_fault_count)
    system_s = _total(blocks, lambda account: account.system_s)
    own_s = _total(blocks, lambda account: account.own_cpu_s)
    # Below one fault a call, whatever takes the kernel's time is something else.
    is_paging = faults is not None and faults >= calls
    if is_paging and system_s and own_s and system_s > NOTABLE_SYSTEM_SHARE * own_s:
        is_system = workload.allocator == SYSTEM and workload.device == "cpu"
        findings.append(faulting(faults / calls, system_s / own_s, is_system))
    switches = _total(blocks, lambda account: account.involuntary_switch_count)
    if switches and switches > NOTABLE_SWITCHES_PER_S * seconds:
        findings.append(often_interrupted(switches / seconds))
    return findings


def _centres_s(blocks: Sequence[Block]) -> list[float]:
    """Seconds per call of each process."""
    groups: dict[int, list[float]] = {}
    for block in blocks:
        groups.setdefault(block.process, []).append(block.latency_s)
    return [block_interval(values).point for values in groups.values()]


Reader = Callable[[CpuAccount], float | None]


def _total(blocks: Sequence[Block], read: Reader) -> float:
    return sum(read(block.account) or 0.0 for block in blocks)


def _mean(blocks: Sequence[Block], read: Reader) -> float | None:
    """Typical share of a block's seconds; None where the kernel does not tell."""
    shares = [
        value / block.duration_s
        for block in blocks
        if (value := read(block.account)) is not None and block.duration_s > 0
    ]
    return median(shares) if shares else None
