"""What blocks and processes say about a measurement, and which finding is told first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from .findings import CONTENDED, Finding
from .plain_text import few_digits

LONGEST_ADVICE_S = 3600.0

_RANKS = (
    CONTENDED, "non-finite-weights", "no-sensor", "incomplete-total", "counter-frozen",
    "sensor-lost", "cpu-fallback", "assumed-share", "estimate-only", "throttled",
    "processes-differ", "not-steady", "budget-ended", "blocks-disturbed", "page-faults",
    "often-interrupted", "temperature-drift", "idle-drift",
)  # fmt: skip


def mostly_disturbed(
    disturbed_count: int, block_count: int, other_cpus: float | None, wait_share: float | None
) -> Finding:
    """Other work took CPUs from most blocks."""
    return Finding(
        kind=CONTENDED,
        observed=f"other work disturbed {disturbed_count} of {block_count} blocks"
        f"{_disturbance(other_cpus, wait_share)}: time and joules hold for that state only",
        remedy="stop the other work and measure again, or leave it a CPU with --threads",
    )


def blocks_disturbed(
    disturbed_count: int, block_count: int, other_cpus: float | None, wait_share: float | None
) -> Finding:
    """Other work took CPUs from some blocks, which are set aside."""
    return Finding(
        kind="blocks-disturbed",
        observed=f"{disturbed_count} of {block_count} blocks were disturbed by other work"
        f"{_disturbance(other_cpus, wait_share)}, and are set aside for time and joules alike",
        remedy="",
    )


def _disturbance(other_cpus: float | None, wait_share: float | None) -> str:
    parts = []
    if other_cpus is not None and other_cpus >= 0.05:
        parts.append(f"{other_cpus:.1f} CPUs busy with it")
    if wait_share is not None and wait_share >= 0.01:
        parts.append(f"a thread without a CPU for {wait_share:.0%} of the time")
    return f" ({', '.join(parts)})" if parts else ""


def budget_ended(reached: Mapping[str, float | None], asked: float, spent_s: float) -> Finding:
    """Time ran out before everything was as narrow as asked.

    Args:
        reached: relative half width by quantity; None where there is no interval yet.
        asked: the same, as it was wanted.
        spent_s: the time that it took.
    """
    texts = [
        f"{name} has no interval yet"
        if half is None
        else f"{name} reached ±{few_digits(100 * half)} %"
        for name, half in reached.items()
    ]
    widest = max((math.inf if half is None else half for half in reached.values()), default=0.0)
    # Half widths fall with the root of the time.
    needed_s = spent_s * (widest / asked) ** 2
    is_near = needed_s < LONGEST_ADVICE_S
    enough = f"about --max-seconds {few_digits(needed_s)} would do" if is_near else ""
    return Finding(
        kind="budget-ended",
        observed=f"{', '.join(texts)} in {spent_s:.0f} s; ±{few_digits(100 * asked)} % was "
        "asked for",
        remedy=enough or "quieten the machine, or relax --precision",
    )


def one_process() -> Finding:
    """A single process cannot show how much processes differ."""
    return Finding(
        kind="one-process",
        observed="everything ran in one process: its interval does not know how much another "
        "process would differ",
        remedy="measure from the command line, which starts three (--processes)",
    )


def processes_differ(fastest_s: float, slowest_s: float, count: int) -> Finding:
    """The processes settled into states of their own."""
    return Finding(
        kind="processes-differ",
        observed=f"the slowest of {count} processes took {slowest_s / fastest_s - 1:.0%} longer "
        "than the fastest: the interval holds this",
        remedy="raise --processes for a narrower interval",
    )


def fewer_processes(count: int, asked: int, reason: str) -> Finding:
    """Not all processes could prepare the model."""
    return Finding(
        kind="fewer-processes",
        observed=f"{count} of {asked} processes were used: {reason}",
        remedy="make the calls smaller with --batch-size, or ask for fewer with --processes",
    )


def one_slow_process(asked: int, round_s: float, max_seconds: float) -> Finding:
    """Calls are too long for a block in each process."""
    return Finding(
        kind="fewer-processes",
        observed=f"1 of {asked} processes was used: a call of every model takes {round_s:.3g} s, "
        f"too long for {max_seconds:g} s in all of them",
        remedy=f"give --max-seconds {4 * asked * round_s:.0f} or more, or make --batch-size "
        "smaller",
    )


def faulting(faults_per_call: float, system_share: float, is_system_allocator: bool) -> Finding:
    """The kernel hands out pages again and again."""
    return Finding(
        kind="page-faults",
        observed=f"{faults_per_call:,.0f} page faults a call take {system_share:.0%} of the CPU "
        "time: the allocator gives its pages back and asks for them again",
        remedy="fresh processes keep them (--processes 2 or more, --allocator steady)"
        if is_system_allocator
        else "",
    )


def often_interrupted(switches_per_s: float) -> Finding:
    """The scheduler put the model's threads off their CPUs."""
    return Finding(
        kind="often-interrupted",
        observed=f"the model was put off its CPU {switches_per_s:,.0f} times a second",
        remedy="leave a CPU for everything else with --threads",
    )


def ranked_kinds(kinds: Iterable[str]) -> list[str]:
    """Each kind once, those that move the numbers most first; the others as they came."""
    place = {kind: number for number, kind in enumerate(_RANKS)}
    return sorted(dict.fromkeys(kinds), key=lambda kind: place.get(kind, len(place)))


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, in the order of `ranked_kinds`."""
    once = tuple(dict.fromkeys(findings))
    place = {kind: number for number, kind in enumerate(ranked_kinds(f.kind for f in once))}
    return tuple(sorted(once, key=lambda finding: place[finding.kind]))
