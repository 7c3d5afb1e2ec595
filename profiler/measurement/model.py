"""`measure()`: the conductor; the only module that knows the whole order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.inference.call_cost import CallCost, TimedRun, cost_per_call, traces_of_device
from profiler.machine.carbon import carbon_factors
from profiler.machine.codecarbon_tracker import CodeCarbonOptions, CodeCarbonTracker
from profiler.machine.contention import CpuWatch
from profiler.machine.environment import describe
from profiler.machine.gpu_watch import GpuWatch
from profiler.meters import OpenedMeters, OpenMeter, close_meters, open_meters
from profiler.meters.clock import MonotonicClock
from profiler.recording.recorder import Recorder
from profiler.values.estimate import Basis
from profiler.values.findings import (
    Finding,
    estimate_only,
    idle_drifted,
    nonfinite_weights,
    part_assumed,
)
from profiler.values.profile import CarbonFactors, EnergyPart, Profile, Workload
from profiler.values.trace import Trace

from .codecarbon import second_opinion
from .protocol import BETWEEN_BLOCKS, MeasuringProtocol, Progress, Protocol, ProtocolResult

if TYPE_CHECKING:
    from torch import nn

    from profiler.machine.device import Device
    from profiler.workload.prepared import PreparedModel
from profiler.machine.contention import judge_contention


def measure(
    model: nn.Module,
    inputs: Any,
    *,
    name: str | None = None,
    device: str = "auto",
    dtype: str | None = None,
    batch_size: int | None = None,
    precision: float = 0.02,
    max_seconds: float = 30.0,
    channels_last: bool = False,
    compiled: bool = False,
    seed: int = 0,
    carbon: CarbonFactors | None = None,
    workload: Workload | None = None,
    meters: Sequence[OpenMeter] | None = None,
    codecarbon: CodeCarbonOptions | bool = False,
    progress: Progress | None = None,
) -> Profile:
    """Measure inference of one model: latency, joules, power, memory, carbon and exact counts.

    The model is copied; the one that is given keeps its device, precision and mode.

    Args:
        model: any module.
        inputs: a tensor, a tuple (positional), a dict (keywords) or a (tuple, dict) pair.
        name: short name; by default the model's class.
        device: "cpu", "cuda", "cuda:N" or "auto".
        dtype: "fp32", "bf16" or "fp16"; None keeps the model's own.
        batch_size: items in one call; by default the first axis of the first tensor.
        precision: relative half width of the intervals at which to stop.
        max_seconds: budget for the whole measurement.
        channels_last: use the channels-last memory format.
        compiled: run through torch.compile.
        seed: of the random pauses between blocks.
        carbon: factors from joules to grams; by default the world mean at PUE 1.
        workload: what to record about where the model and its inputs came from.
        meters: opened meters; by default every sensor that this process may see.
        codecarbon: True runs CodeCarbon's own tracker beside it, in a process of its own that
            takes about two seconds to get ready, as a second opinion on the whole measurement. A
            function of a library starts no process unasked; the command line's `measure` asks.
        progress: called with the stage and the share of the budget spent.

    Raises:
        UsageError: an argument is out of its range.
        DeviceError: the device is absent or ran out of memory.
        MeasurementError: the model raised.
    """
    from profiler.machine.device import find_device
    from profiler.workload.prepared import nonfinite_tensors, prepare

    from .call_counts import count_call
    from .peak_memory import peak_memory

    _check(precision, max_seconds, batch_size)
    found = find_device(device)
    carbon = carbon or carbon_factors()
    options = CodeCarbonOptions() if codecarbon is True else codecarbon or None
    gpus = [found.identity] if found.identity else ()
    name = name or type(model).__name__
    with CodeCarbonTracker(options, gpu_identities=gpus, carbon=carbon, name=name) as tracker:
        bench = prepare(
            model, inputs, found, dtype=dtype, channels_last=channels_last, compiled=compiled
        )
        counts = count_call(bench)
        peak_memory_bytes = None if compiled else peak_memory(bench, found)
        protocol = Protocol(precision=precision, max_seconds=max_seconds, seed=seed)
        tracker.wait_ready()  # what it does until then is neither idle nor other work
        watch, cpu_watch = GpuWatch(found.identity), CpuWatch()
        outcome, traces, recorder, opening = _record(
            bench, found, protocol, meters, watch, tracker, progress
        )
    opinion, opinion_findings = second_opinion(tracker, traces, recorder.windows(), recorder.now_s)
    broken = nonfinite_tensors(bench.model)
    cost, energy_findings = _energy(outcome, traces, recorder, found)
    given = workload or Workload(model=type(model).__name__, device=found.name)
    items = batch_size if batch_size is not None else bench.batch_size
    return Profile(
        name=name,
        created_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        environment=describe(found.label, watch.facts()),
        workload=_workload(given, bench, found, items, channels_last, compiled, seed),
        latency_s=outcome.latency_s,
        energy_j=cost.energy_j,
        net_energy_j=cost.net_energy_j,
        power_w=cost.power_w,
        idle_power_w=cost.idle_power_w,
        peak_memory_bytes=peak_memory_bytes,
        parameter_count=counts.parameter_count,
        mac_count=counts.mac_count,
        size_bytes=counts.size_bytes,
        score=counts.score(items) if given.item == "image" else None,  # defined for images alone
        energy_parts=cost.parts,
        carbon=carbon,
        layers=counts.layers,
        traces=traces,
        windows=recorder.windows(),
        codecarbon=opinion,
        findings=(
            *found.findings,
            *opening,
            *bench.findings,
            *counts.findings,
            *outcome.findings,
            *energy_findings,
            *watch.findings(),
            *judge_contention(found, cpu_watch),
            *opinion_findings,
            *((nonfinite_weights(tuple(broken)),) if broken else ()),
        ),
        stopped_by=outcome.stopped_by,
    )


def _check(precision: float, max_seconds: float, batch_size: int | None) -> None:
    if not 0 < precision < 1:
        raise UsageError(
            f"a precision of {precision} is not possible",
            hint="give a relative half width between 0 and 1, such as --precision 0.02",
        )
    if not 0 < max_seconds < float("inf"):
        raise UsageError(
            f"a budget of {max_seconds} s is not possible",
            hint="give seconds above 0, such as --max-seconds 30",
        )
    if batch_size is not None and batch_size < 1:
        raise UsageError(
            f"a batch size of {batch_size} is not possible", hint="give --batch-size 1 or more"
        )


def _record(
    bench: PreparedModel,
    device: Device,
    protocol: Protocol,
    meters: Sequence[OpenMeter] | None,
    watch: GpuWatch,
    tracker: CodeCarbonTracker,
    progress: Progress | None,
) -> tuple[ProtocolResult, tuple[Trace, ...], Recorder, tuple[Finding, ...]]:
    opened = open_meters() if meters is None else OpenedMeters([], ())

    def told(stage: str, share: float) -> None:
        """Between two blocks: the moment to look at the GPU, and to say how far we are."""
        if stage == BETWEEN_BLOCKS:
            watch.glance()
        if progress is not None:
            progress(stage, share)

    clock = MonotonicClock()
    recorder = Recorder(opened.meters if meters is None else meters, clock=clock).start()
    whole = MeasuringProtocol(
        call=bench.call,
        synchronize=device.synchronize,
        recorder=recorder,
        clock=clock,
        sleep=time.sleep,
        protocol=protocol,
        choose=lambda traces: traces_of_device(traces, device.name, device.identity)[0],
        progress=told,
    )
    try:
        with tracker.tracking():
            outcome = whole.run()
    finally:
        recorder.stop()
        close_meters(opened.meters)
    return outcome, recorder.traces(), recorder, opened.findings


def _energy(
    outcome: ProtocolResult, traces: Sequence[Trace], recorder: Recorder, device: Device
) -> tuple[CallCost, list[Finding]]:
    run = TimedRun(
        blocks=outcome.blocks,
        idles=outcome.idles,
        windows=recorder.windows(),
        now_s=recorder.now_s,
    )
    own, others = traces_of_device(traces, device.name, device.identity)
    cost = cost_per_call(own, run)
    beside = cost_per_call(others, run).parts if others else ()
    parts = (*cost.parts, *(replace(part, in_total=False) for part in beside))
    findings = [*cost.findings, *_judge_idle(cost), *_judge_basis(cost.parts)]
    return replace(cost, parts=parts), findings


def _judge_idle(cost: CallCost) -> list[Finding]:
    before_w, after_w = cost.idle_before_w, cost.idle_after_w
    if before_w is None or after_w is None or cost.power_w is None:
        return []
    if abs(before_w - after_w) > max(0.1 * max(before_w, after_w), 0.02 * cost.power_w.point):
        return [idle_drifted(before_w, after_w)]
    return []


def _judge_basis(parts: Sequence[EnergyPart]) -> list[Finding]:
    findings = []
    everything_j = sum(part.energy_j.point for part in parts)
    for part in parts:
        if part.energy_j.basis is Basis.ESTIMATED:
            findings.append(estimate_only(part.device, part.energy_j.source))
        elif part.energy_j.basis is Basis.ASSUMED and everything_j > 0:
            findings.append(part_assumed(part.device, part.energy_j.point / everything_j))
    return findings


def _workload(
    given: Workload,
    bench: PreparedModel,
    device: Device,
    items: int | None,
    channels_last: bool,
    compiled: bool,
    seed: int,
) -> Workload:
    import torch

    return replace(
        given,
        device=device.name,
        dtype=bench.dtype,
        batch_size=items,
        input_shapes=bench.input_shapes,
        channels_last=channels_last,
        compiled=compiled,
        threads=torch.get_num_threads(),
        seed=seed,
    )
