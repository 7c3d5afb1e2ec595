"""One measurement from its prepared models to their profiles: sensors, protocol, joules, findings.

Torch-free: the calls are made by runners, in this process or in others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from profiler.errors import UsageError
from profiler.inference.call_cost import CallCost, cost_per_call, traces_of_device
from profiler.inference.timed_run import TimedRun, block_latency
from profiler.machine.carbon import carbon_factors
from profiler.machine.codecarbon_tracker import CodeCarbonOptions, CodeCarbonTracker
from profiler.machine.environment import describe
from profiler.machine.gpu_watch import GpuWatch
from profiler.meters import OpenedMeters, OpenMeter, close_meters, open_meters
from profiler.meters.clock import MonotonicClock
from profiler.recording.recorder import Recorder
from profiler.values.codecarbon import CodeCarbonOpinion
from profiler.values.findings import Finding
from profiler.values.profile import CarbonFactors, Profile
from profiler.values.repetition import Repetition
from profiler.values.repetition_findings import ranked
from profiler.values.trace import Trace

from .codecarbon import second_opinion
from .judgement import judge_basis, judge_idle, judge_repetition, without_window_advice
from .model_facts import ModelFacts
from .protocol import BETWEEN_BLOCKS, MeasuringProtocol, Progress, Protocol, ProtocolResult
from .runners import Runner
from .so_far import timed_run_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How a measurement is made, whatever it measures.

    Args:
        precision: relative half width of the intervals at which to stop.
        max_seconds: budget for the whole measurement.
        seed: of the order of blocks and the pauses between them.
        carbon: factors from joules to grams; None takes the world mean at PUE 1.
        meters: opened meters; None takes every sensor that this process may see.
        codecarbon: run CodeCarbon's own tracker beside it, in a process of its own that takes about
            two seconds to get ready, as a second opinion on the whole; None for no such process.
        progress: called with the stage and the share of the budget spent.

    Raises:
        UsageError: precision or budget are out of their range.
    """

    precision: float = 0.02
    max_seconds: float = 30.0
    seed: int = 0
    carbon: CarbonFactors | None = None
    meters: Sequence[OpenMeter] | None = None
    codecarbon: CodeCarbonOptions | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not 0 < self.precision < 1:
            raise UsageError(
                f"a precision of {self.precision} is not possible",
                hint="give a relative half width between 0 and 1, such as --precision 0.02",
            )
        if not 0 < self.max_seconds < float("inf"):
            raise UsageError(
                f"a budget of {self.max_seconds} s is not possible",
                hint="give seconds above 0, such as --max-seconds 30",
            )


def conduct(
    models: Sequence[ModelFacts],
    runners: Sequence[Runner],
    conditions: Conditions,
    *,
    is_fresh: bool,
    findings: Sequence[Finding] = (),
) -> tuple[Profile, ...]:
    """Measure prepared models in turns; a profile each.

    Args:
        models: all on one device, as every runner has prepared them.
        runners: one a process.
        conditions: precision, budget, sensors.
        is_fresh: whether the processes were started for this measurement.
        findings: what was noticed while preparing.
    """
    carbon = conditions.carbon or carbon_factors()
    gpus = [models[0].gpu_identity] if models[0].gpu_identity else ()
    name = " and ".join(facts.name for facts in models)
    with CodeCarbonTracker(
        conditions.codecarbon, gpu_identities=gpus, carbon=carbon, name=name
    ) as tracker:
        tracker.wait_ready()  # what it does until then is neither idle nor other work
        seen = _record(models, runners, conditions, tracker)
    series = f"{time.time_ns():x}-{os.getpid():x}"
    return tuple(
        _profile(
            facts,
            seen,
            number,
            Repetition(
                series=series,
                process_count=len({block.process for block in seen.result.blocks[number]}),
                is_fresh=is_fresh,
                blocks=seen.result.blocks[number],
                turns=seen.result.turns[number],
            ),
            carbon,
            findings,
        )
        for number, facts in enumerate(models)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one recording saw of all models.

    Args:
        result: of the protocol.
        traces: of every sensor.
        now_s: when the recording ended.
        gpu_facts: of the GPU, as flat text.
        codecarbon: what CodeCarbon's tracker says of the whole.
        findings: about sensors, the GPU and the protocol.
    """

    result: ProtocolResult
    traces: tuple[Trace, ...]
    now_s: float
    gpu_facts: dict[str, str]
    codecarbon: CodeCarbonOpinion | None
    findings: tuple[Finding, ...]


def _record(
    models: Sequence[ModelFacts],
    runners: Sequence[Runner],
    conditions: Conditions,
    tracker: CodeCarbonTracker,
) -> _Seen:
    given, watch = conditions.meters, GpuWatch(models[0].gpu_identity)
    opened = open_meters() if given is None else OpenedMeters([], ())

    def told(stage: str, share: float) -> None:
        """Between two blocks: the moment to look at the GPU, and to say how far we are."""
        if stage == BETWEEN_BLOCKS:
            watch.glance()
        if conditions.progress is not None:
            conditions.progress(stage, share)

    clock, first = MonotonicClock(), models[0]
    device = first.workload.device
    recorder = Recorder(opened.meters if given is None else given, clock=clock).start()
    protocol = Protocol(
        precision=conditions.precision,
        max_seconds=conditions.max_seconds,
        seed=conditions.seed,
        is_shared=device == "cpu",
    )
    whole = MeasuringProtocol(
        runners=runners,
        names=[facts.name for facts in models],
        recorder=recorder,
        clock=clock,
        sleep=time.sleep,
        protocol=protocol,
        choose=lambda traces: traces_of_device(traces, device, first.gpu_identity)[0],
        progress=told,
    )
    try:
        with tracker.tracking():
            result = whole.run()
    finally:
        recorder.stop()
        close_meters(opened.meters)
    traces, windows = recorder.traces(), recorder.windows()
    opinion, opinion_findings = second_opinion(tracker, traces, windows, recorder.now_s)
    return _Seen(
        result=result,
        traces=traces,
        now_s=recorder.now_s,
        gpu_facts=watch.facts(),
        codecarbon=opinion,
        findings=(*opened.findings, *result.findings, *watch.findings(), *opinion_findings),
    )


def _profile(
    facts: ModelFacts,
    seen: _Seen,
    number: int,
    repetition: Repetition,
    carbon: CarbonFactors,
    findings: Sequence[Finding],
) -> Profile:
    run = timed_run_of(seen.result.blocks, seen.result.spans, number, seen.now_s)
    cost = _cost(facts, seen.traces, run)
    observed = (
        *findings,
        *facts.findings,
        *seen.findings,
        *without_window_advice(cost.findings),
        *judge_idle(cost),
        *judge_basis(cost),
        *judge_repetition(repetition, facts.workload),
    )
    return Profile(
        name=facts.name,
        created_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        environment=describe(facts.device_label, {**facts.environment, **seen.gpu_facts}),
        workload=facts.workload,
        latency_s=block_latency(run),
        energy_j=cost.energy_j,
        net_energy_j=cost.net_energy_j,
        power_w=cost.power_w,
        idle_power_w=cost.idle_power_w,
        peak_memory_bytes=facts.peak_memory_bytes,
        parameter_count=facts.parameter_count,
        mac_count=facts.mac_count,
        size_bytes=facts.size_bytes,
        deployment=facts.deployment,
        score=facts.score,
        score_by_ratio=facts.score_by_ratio,
        effective_mac_count=facts.effective_mac_count,
        compressed_bytes=facts.compressed_bytes,
        transforms=facts.transforms,
        energy_parts=cost.parts,
        carbon=carbon,
        layers=facts.layers,
        traces=seen.traces,
        windows=run.windows,
        repetition=repetition,
        codecarbon=seen.codecarbon,
        findings=ranked(observed),
        stopped_by=seen.result.stopped_by,
    )


def _cost(facts: ModelFacts, traces: Sequence[Trace], run: TimedRun) -> CallCost:
    """Of the device that ran the model, with what else was seen beside it."""
    own, others = traces_of_device(traces, facts.workload.device, facts.gpu_identity)
    cost = cost_per_call(own, run)
    beside = cost_per_call(others, run).parts if others else ()
    parts = (*cost.parts, *(replace(part, in_total=False) for part in beside))
    return replace(cost, parts=parts)
