"""From the joules of timed blocks to the joules of one call: gross, net of idle, and by device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from profiler.values.estimate import Basis, Estimate, weakest
from profiler.values.findings import Finding
from profiler.values.profile import HOST, EnergyPart
from profiler.values.statistics import FEWEST_FOR_MEDIAN, Interval, process_interval
from profiler.values.trace import Trace, Window

from . import TargetEnergy, infer_energies

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


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRun:
    """The windows of one measurement: blocks of calls, and idle spans around them.

    Args:
        blocks: timed, each with its count of calls.
        idles: before and after.
        windows: everything that the recording knows of.
        now_s: its last instant.
        processes: the process of each block; () where one ran all of them.
    """

    blocks: tuple[Window, ...]
    idles: tuple[Window, ...]
    windows: tuple[Window, ...]
    now_s: float
    processes: tuple[int, ...] = ()

    @property
    def call_count(self) -> int:
        """Calls in all blocks."""
        return sum(block.iteration_count or 0 for block in self.blocks)

    @property
    def duration_s(self) -> float:
        """Length of all blocks together."""
        return math.fsum(block.duration_s or 0.0 for block in self.blocks)

    def repeated(self, values: Sequence[float | None]) -> Interval | None:
        """Centre and interval of one value a block; None where no block has one."""
        processes = self.processes or (0,) * len(self.blocks)
        seen = [pair for pair in zip(values, processes, strict=True) if pair[0] is not None]
        if not seen:
            return None
        return process_interval(
            [value for value, _ in seen if value is not None], [process for _, process in seen]
        )

    @property
    def call_s(self) -> Interval | None:
        """Seconds of a call."""
        return self.repeated(
            [
                block.duration_s / block.iteration_count
                if block.duration_s is not None and block.iteration_count
                else None
                for block in self.blocks
            ]
        )


def block_latency(run: TimedRun) -> Estimate | None:
    """Seconds per call: median over the blocks of a process, mean over processes.

    None where no block was closed.
    """
    call_s = run.call_s
    if call_s is None:
        return None
    has_interval = math.isfinite(call_s.high)
    count, process_count = len(run.blocks), len(set(run.processes)) or 1
    name = "mean" if count < FEWEST_FOR_MEDIAN * process_count else "median"
    among = f" of {process_count} processes" if process_count > 1 else ""
    return Estimate(
        point=call_s.point,
        low=max(0.0, call_s.low) if has_interval else None,
        high=call_s.high if has_interval else None,
        unit="s",
        confidence=0.95 if has_interval else None,
        basis=Basis.MEASURED,
        source=f"monotonic clock, {name} of {count} synchronised blocks{among}",
    )


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
    targets = [run.blocks, *((block,) for block in run.blocks), *((idle,) for idle in run.idles)]
    together, *single = infer_energies(traces, targets, run.windows, now_s=run.now_s)
    blocks, idles = single[: len(run.blocks)], single[len(run.blocks) :]
    gross_j = _per_call(together.energy_j, [block.energy_j for block in blocks], run)
    idle_w = [
        _power_w(idle.energy_j, window) for idle, window in zip(idles, run.idles, strict=True)
    ]
    idle_power_w = _joined_idle(idle_w)
    power_w = _mean_power(together.energy_j, [block.energy_j for block in blocks], run)
    points_w = [None if power is None else power.point for power in idle_w]
    return CallCost(
        energy_j=gross_j,
        net_energy_j=_net(gross_j, idle_power_w, run),
        power_w=power_w,
        idle_power_w=idle_power_w,
        idle_before_w=points_w[0] if points_w else None,
        idle_after_w=points_w[-1] if points_w else None,
        parts=_parts(together, blocks, idles, run),
        findings=together.findings,
    )


def _parts(
    together: TargetEnergy,
    blocks: Sequence[TargetEnergy],
    idles: Sequence[TargetEnergy],
    run: TimedRun,
) -> tuple[EnergyPart, ...]:
    parts = []
    for device, channel in together.devices.items():
        of_blocks = [block.devices[device].energy_j for block in blocks]
        gross_j = _per_call(channel.energy_j, of_blocks, run)
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
    together_j: Estimate | None, single_j: Sequence[Estimate | None], run: TimedRun
) -> Estimate | None:
    call_s = run.call_s
    if together_j is None or call_s is None or run.duration_s <= 0 or call_s.point <= 0:
        return None
    per_call_j = together_j.scaled(call_s.point / run.duration_s, "J")
    values_j = [
        energy_j.point / block.iteration_count
        if energy_j is not None and block.iteration_count
        else None
        for energy_j, block in zip(single_j, run.blocks, strict=True)
    ]
    return _widened(per_call_j, run.repeated(values_j))


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
    together_j: Estimate | None, single_j: Sequence[Estimate | None], run: TimedRun
) -> Estimate | None:
    """Mean over the blocks; its interval knows how much they differ in power, not in speed."""
    if together_j is None or run.duration_s <= 0:
        return None
    mean_w = together_j.scaled(1 / run.duration_s, "W")
    values_w = [
        energy_j.point / block.duration_s if energy_j is not None and block.duration_s else None
        for energy_j, block in zip(single_j, run.blocks, strict=True)
    ]
    return _widened(mean_w, run.repeated(values_w))


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
    if gross_j is None or idle_power_w is None or run.call_count == 0:
        return None
    call_s = run.call_s
    seconds = run.duration_s / run.call_count if call_s is None else call_s.point
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
