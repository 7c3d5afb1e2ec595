"""Recompute a profile's joules from its raw readings, and hold its sensors against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.errors import StoreError
from profiler.inference import infer_counter, integrate_power
from profiler.inference.call_cost import CallCost, cost_per_call, traces_of_device
from profiler.inference.timed_run import TimedRun
from profiler.machine.environment import GPU_UUID
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.profile import Profile
from profiler.values.repetition import Repetition
from profiler.values.trace import CounterTrace, Trace, Window

TOLERANCE = 1e-6
IDLE_NAME = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One stored number beside the same number computed again; None where there is none."""

    name: str
    stored: Estimate | None
    recomputed: Estimate | None

    @property
    def agrees(self) -> bool:
        """Whether point and interval are the same to a millionth."""
        if self.stored is None or self.recomputed is None:
            return self.stored is self.recomputed
        return all(
            _close(getattr(self.stored, end), getattr(self.recomputed, end))
            for end in ("point", "low", "high")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """The energy of the timed windows by one source."""

    device: str
    source: str
    energy_j: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What became of a stored run's joules.

    Args:
        checks: stored against recomputed.
        sources: every channel's own account of the timed windows together.
        findings: what the estimator says about the traces, a disagreement of sources included.
    """

    checks: tuple[Check, ...]
    sources: tuple[CrossCheck, ...]
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether every stored joule follows from the stored readings."""
        return all(check.agrees for check in self.checks)


def verify(profile: Profile) -> Verification:
    """Recompute; the profile must have been loaded with its traces.

    Raises:
        StoreError: it has no traces or no timed windows.
    """
    run = timed_run(profile.windows, profile.repetition)
    gpu_identity = profile.environment.facts.get(GPU_UUID)
    own, _ = traces_of_device(profile.traces, profile.workload.device, gpu_identity)
    cost = cost_per_call(own, run)
    return Verification(
        checks=_checks(profile, cost),
        sources=tuple(_account(trace, run) for trace in profile.traces),
        findings=cost.findings,
    )


def timed_run(windows: Sequence[Window], repetition: Repetition | None = None) -> TimedRun:
    """The timed and idle windows among all windows of a stored run, with their processes."""
    blocks = tuple(window for window in windows if window.iteration_count)
    if not blocks:
        raise StoreError("the run holds no timed windows, so that nothing can be recomputed")
    process_of = {block.start_s: block.process for block in repetition.blocks} if repetition else {}
    return TimedRun(
        blocks=blocks,
        idles=tuple(window for window in windows if window.name == IDLE_NAME),
        windows=tuple(windows),
        now_s=max(window.end_s or window.start_s for window in windows),
        processes=tuple(process_of.get(block.start_s, 0) for block in blocks),
        is_pooled=repetition is None,
    )


def _checks(profile: Profile, cost: CallCost) -> tuple[Check, ...]:
    pairs = (
        ("energy_j", profile.energy_j, cost.energy_j),
        ("net_energy_j", profile.net_energy_j, cost.net_energy_j),
        ("power_w", profile.power_w, cost.power_w),
        ("idle_power_w", profile.idle_power_w, cost.idle_power_w),
    )
    again = {part.device: part.energy_j for part in cost.parts}
    parts = (
        (f"energy_j of {part.device}", part.energy_j, again.get(part.device))
        for part in profile.energy_parts
        if part.in_total
    )
    return tuple(
        Check(name=name, stored=stored, recomputed=recomputed)
        for name, stored, recomputed in (*pairs, *parts)
    )


def _account(trace: Trace, run: TimedRun) -> CrossCheck:
    if isinstance(trace, CounterTrace):
        (energy,) = infer_counter(trace, [run.blocks], run.windows, now_s=run.now_s)
    else:
        (energy,) = integrate_power(trace, [run.blocks], run.windows, now_s=run.now_s)
    return CrossCheck(
        device=trace.channel.device, source=trace.channel.source, energy_j=energy.energy_j
    )


def _close(stored: float | None, recomputed: float | None) -> bool:
    if stored is None or recomputed is None:
        return stored is recomputed
    return abs(stored - recomputed) <= TOLERANCE * max(abs(stored), abs(recomputed))
