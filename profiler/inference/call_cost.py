"""From the joules of timed blocks to the joules of one call: gross, net of idle, and by device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from profiler.values.estimate import Estimate, weakest
from profiler.values.findings import Finding
from profiler.values.profile import HOST, EnergyPart
from profiler.values.statistics import Interval
from profiler.values.trace import Trace, Window

from . import TargetEnergy, infer_energies
from .timed_run import BlockGroup, TimedRun, over

CPU_FAMILIES = ("cpu", "dram", "ram")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """What one call draws, and what the same sensors see when nothing runs.

    Every field is None where no sensor saw it.
    """

    energy_j: Estimate | None
    net_energy_j: Estimate | None
    power_w: Estimate | None
    idle_power_w: Estimate | None
    idle_before_w: float | None
    idle_after_w: float | None
    parts: tuple[EnergyPart, ...]
    findings: tuple[Finding, ...]


def traces_of_device(
    traces: Sequence[Trace], device: str, gpu_identity: str | None = None
) -> tuple[tuple[Trace, ...], tuple[Trace, ...]]:
    """Split traces into those of the device that ran the work, and all others.

    Args:
        traces: of a whole recording.
        device: as the workload names it: "cpu" stands for the packages and their memory, "host" for
            everything that was recorded, and "cuda:N" for one GPU.
        gpu_identity: UUID of that GPU.
    """
    chosen: list[Trace] = []
    others: list[Trace] = []
    for trace in traces:
        channel = trace.channel
        family = channel.device.split(":")[0].split("/")[0]
        if device == HOST:
            ours = True
        elif device == "cpu":
            ours = family in CPU_FAMILIES
        else:
            ours = gpu_identity is not None and channel.identity == gpu_identity
        (chosen if ours else others).append(trace)
    return tuple(chosen), tuple(others)


def cost_per_call(traces: Sequence[Trace], run: TimedRun) -> CallCost:
    """The cost of one call by the sensors in `traces`.

    The joules of a call are the mean power of the blocks x the seconds of a call, so that what
    delays a few blocks moves both alike: not at all. Their interval joins what the sensor leaves
    open about the blocks together and how much blocks and processes differ among themselves: in
    quadrature, as both are independent of each other. The idle spans before and after bound the
    drift of the idle power.
    """
    stretches = run.stretches()
    targets = [run.blocks, *(s.blocks for s in stretches), *((idle,) for idle in run.idles)]
    together, *single = infer_energies(traces, targets, run.windows, now_s=run.now_s)
    single, idles = single[: len(stretches)], single[len(stretches) :]
    single_j = [item.energy_j for item in single]
    gross_j = _per_call(together.energy_j, single_j, stretches, run)
    idle_w = [
        _power_w(idle.energy_j, window) for idle, window in zip(idles, run.idles, strict=True)
    ]
    idle_power_w = _joined_idle(idle_w)
    power_w = _mean_power(together.energy_j, single_j, stretches, run)
    points_w = [None if power is None else power.point for power in idle_w]
    return CallCost(
        energy_j=gross_j,
        net_energy_j=_net(gross_j, idle_power_w, run),
        power_w=power_w,
        idle_power_w=idle_power_w,
        idle_before_w=points_w[0] if points_w else None,
        idle_after_w=points_w[-1] if points_w else None,
        parts=_parts(together, single, stretches, idles, run),
        findings=together.findings,
    )


def _parts(
    together: TargetEnergy,
    single: Sequence[TargetEnergy],
    stretches: Sequence[BlockGroup],
    idles: Sequence[TargetEnergy],
    run: TimedRun,
) -> tuple[EnergyPart, ...]:
    parts = []
    for device, channel in together.devices.items():
        of_stretches = [item.devices[device].energy_j for item in single]
        gross_j = _per_call(channel.energy_j, of_stretches, stretches, run)
        if gross_j is None:
            continue
        idle_w = _joined_idle(
            [
                _power_w(idle.devices[device].energy_j, window)
                for idle, window in zip(idles, run.idles, strict=True)
            ]
        )
        net_j = _net(gross_j, idle_w, run)
        in_total = device in together.counted
        parts.append(
            EnergyPart(device=device, energy_j=gross_j, net_energy_j=net_j, in_total=in_total)
        )
    return tuple(parts)


def _per_call(
    together_j: Estimate | None,
    single_j: Sequence[Estimate | None],
    stretches: Sequence[BlockGroup],
    run: TimedRun,
) -> Estimate | None:
    call_s, duration_s = run.call_s, run.duration_s
    if together_j is None or call_s is None or duration_s <= 0:
        return None
    values_j = [
        None if energy_j is None else over(energy_j.point, stretch.call_count)
        for energy_j, stretch in zip(single_j, stretches, strict=True)
    ]
    per_call_j = together_j.scaled(call_s.point / duration_s, "J")
    return _widened(per_call_j, run.repeated(values_j, stretches))


def _widened(together: Estimate, spread: Interval | None) -> Estimate:
    """The interval of all blocks together, joined with how much they differ from each other."""
    if spread is None or not math.isfinite(spread.high):
        return together
    point = together.point
    low = point if together.low is None else together.low
    high = point if together.high is None else together.high
    return replace(
        together,
        low=max(0.0, point - math.hypot(spread.point - spread.low, point - low)),
        high=point + math.hypot(spread.high - spread.point, high - point),
        confidence=together.confidence or 0.95,
    )


def _mean_power(
    together_j: Estimate | None,
    single_j: Sequence[Estimate | None],
    stretches: Sequence[BlockGroup],
    run: TimedRun,
) -> Estimate | None:
    """Mean over the blocks; its interval knows how much they differ in power, not in speed.

    All stretches count alike, whatever their process: what a process settles into is a speed.
    """
    duration_s = run.duration_s
    if together_j is None or duration_s <= 0:
        return None
    values_w = [
        None if energy_j is None else over(energy_j.point, stretch.duration_s)
        for energy_j, stretch in zip(single_j, stretches, strict=True)
    ]
    mean_w = together_j.scaled(1 / duration_s, "W")
    of_one = [replace(stretch, process=0) for stretch in stretches]
    return _widened(mean_w, run.repeated(values_w, of_one))


def _power_w(energy_j: Estimate | None, window: Window) -> Estimate | None:
    if energy_j is None or not window.duration_s:
        return None
    return energy_j.scaled(1 / window.duration_s, "W")


def _joined_idle(powers_w: Sequence[Estimate | None]) -> Estimate | None:
    """Mean of the idle spans; half their disagreement joins the interval."""
    seen = [power for power in powers_w if power is not None]
    if not seen:
        return None
    point_w = math.fsum(power.point for power in seen) / len(seen)
    drift_w = (max(p.point for p in seen) - min(p.point for p in seen)) / 2
    halves_w = [power.half_width for power in seen if power.half_width is not None]
    half_w = math.hypot(drift_w, *(half / len(seen) for half in halves_w))
    return replace(
        seen[0],
        point=point_w,
        low=max(0.0, point_w - half_w),
        high=point_w + half_w,
        confidence=0.95,
        basis=weakest(power.basis for power in seen),
        source=f"{seen[0].source}, {len(seen)} idle span(s)",
    )


def _net(gross_j: Estimate | None, idle_power_w: Estimate | None, run: TimedRun) -> Estimate | None:
    """Gross minus idle; below 0 where the call cannot be told from idle."""
    call_s = run.call_s
    if gross_j is None or idle_power_w is None or call_s is None:
        return None
    seconds = call_s.point
    point_j = gross_j.point - idle_power_w.point * seconds
    half_j = math.hypot(gross_j.half_width or 0.0, (idle_power_w.half_width or 0.0) * seconds)
    return replace(
        gross_j,
        point=point_j,
        low=point_j - half_j,
        high=point_j + half_j,
        basis=weakest((gross_j.basis, idle_power_w.basis)),
        source=f"{gross_j.source}, minus idle",
    )
