"""`measure_layers()`: survey, count, time in situ, replay for watts, and join."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from profiler.errors import UsageError
from profiler.machine.device import Device
from profiler.measurement.judgement import without_window_advice
from profiler.measurement.protocol import Progress
from profiler.meters import OpenedMeters, OpenMeter, open_meters
from profiler.meters.clock import MonotonicClock
from profiler.recording.recorder import Recorder
from profiler.values.estimate import Basis
from profiler.values.findings import Finding, estimate_only, no_sensor, stopped_by_budget
from profiler.values.hardware import HardwareBest
from profiler.values.layer_cost import LayerCost
from profiler.values.layer_report import LayerReport, LeftOut
from profiler.workload.prepared import PreparedModel, explained, prepare

from .calibration import CALIBRATION_S, hardware_best
from .joules import Joules, ratio, replayed_joules, seconds_of, shared_joules
from .measurable import timed_device
from .replay import make_replays, names_of
from .replay_power import PowerRecording, Powers
from .rows import counted_rows, measured_rows, outside_rows
from .stamps import GpuTimeline, HostTimeline
from .structure import structure_of
from .survey import Survey, survey
from .timing import SMALL_ROW_SHARE, InSitu, Timing

METHODS = ("replay", "hooks")
TIMING_SHARE, TIMING_SHARE_ALONE = 0.5, 0.9
CALIBRATION_SHARE = 0.1
OPEN_CLOSURE = 0.05


def measure_layers(
    model: nn.Module,
    inputs: Any,
    *,
    name: str | None = None,
    device: str = "auto",
    precision: float = 0.05,
    max_seconds: float = 60.0,
    dtype: str | None = None,
    channels_last: bool = False,
    method: str = "replay",
    seed: int = 0,
    meters: Sequence[OpenMeter] | None = None,
    hardware: HardwareBest | None = None,
    progress: Progress | None = None,
) -> LayerReport:
    """Measure seconds and joules of every module inside one call of a model.

    Time is taken inside whole-model runs. Joules are watts x that time; the watts of a layer are
    seen while it is replayed alone, over and over. The model is copied; the one that is given is
    left as it is.

    Args:
        model: any module.
        inputs: a tensor, a tuple (positional), a dict (keywords) or a (tuple, dict) pair.
        name: short name; by default the model's class.
        device: "cpu", "cuda", "cuda:N" or "auto".
        precision: relative half width of the 95 % intervals at which to stop. A row of less than a
            hundredth of the whole is held to that share of a hundredth.
        max_seconds: budget for everything; what is known by then is reported, and said to be less.
        dtype: "fp32", "bf16" or "fp16"; None keeps the model's own.
        channels_last: use the channels-last memory format.
        method: "replay", or "hooks" for each row's share of the time of the whole's joules, which
            is an estimate. Without a sensor that measures the device, "replay" does the same.
        seed: of everything random.
        meters: opened meters; by default every sensor that this process may see.
        hardware: the device's best; by default what its calibration left, or a new calibration.
        progress: called with the stage and the share of the budget spent.

    Raises:
        UsageError: an argument is out of its range, or the model runs compiled.
        DeviceError: the device is absent or ran out of memory.
        MeasurementError: the model raised, or runs other modules at every call.
    """
    start_s = time.monotonic()
    _check(precision, max_seconds, method)
    found = timed_device(device)
    bench = prepare(model, inputs, found, dtype=dtype, channels_last=channels_last)
    opened = open_meters() if meters is None else OpenedMeters(list(meters), ())
    work = _Work(
        name=name or type(model).__name__, bench=bench, device=found, precision=precision,
        start_s=start_s, max_seconds=max_seconds, method=method, seed=seed, meters=opened.meters,
        given_meters=meters, findings=(*found.findings, *opened.findings, *bench.findings),
        progress=progress or _silent,
    )  # fmt: skip
    with explained(found), torch.inference_mode():
        return work.run(hardware)


def _check(precision: float, max_seconds: float, method: str) -> None:
    if not 0 < precision < 1:
        raise UsageError(
            f"a precision of {precision} is not possible",
            hint="give a relative half width between 0 and 1, such as --precision 0.05",
        )
    if not 0 < max_seconds < float("inf"):
        raise UsageError(
            f"a budget of {max_seconds} s is not possible",
            hint="give seconds above 0, such as --max-seconds 60",
        )
    if method not in METHODS:
        raise UsageError(f"there is no method {method!r}", hint=f"use {' or '.join(METHODS)}")


def _silent(stage: str, share: float) -> None:
    """Nobody asked."""


@dataclass(slots=True)
class _Work:
    """One measurement under way."""

    name: str
    bench: PreparedModel
    device: Device
    precision: float
    start_s: float
    max_seconds: float
    method: str
    seed: int
    meters: Sequence[OpenMeter]
    given_meters: Sequence[OpenMeter] | None
    findings: tuple[Finding, ...]
    progress: Progress

    def run(self, hardware: HardwareBest | None) -> LayerReport:
        """Everything after the model stands on its device."""
        self.tell("calibration", 0.0)
        best = hardware or hardware_best(
            self.device,
            seconds=min(CALIBRATION_S, CALIBRATION_SHARE * self.max_seconds),
            meters=self.given_meters,
        )
        seen = survey(self.bench, self.device.name)
        self.tell("counting", 0.05)
        rows, count_findings = counted_rows(seen)
        recorder = Recorder(self.meters, clock=MonotonicClock()).start()
        try:
            recording = PowerRecording(
                recorder=recorder, device=self.device, run_whole=seen.run,
                deadline_s=self.start_s + self.max_seconds, precision=self.precision,
                seed=self.seed, tell=self._share("watts", TIMING_SHARE, 1.0),
            )  # fmt: skip
            replaying = self.method == "replay" and recording.basis is Basis.MEASURED
            timing = self._time(seen, TIMING_SHARE if replaying else TIMING_SHARE_ALONE)
            powers, name_of, left_out = self._watts(seen, recording, recorder, replaying)
        finally:
            recorder.stop()
        joules = _joules(timing, seen, powers, name_of, replaying)
        rows = measured_rows(rows, seen, timing.summary, joules.rows_j, best, self.bench.dtype)
        self.findings += (
            *count_findings,
            *without_window_advice(powers.findings),
            *self._judge(timing, joules, powers),
        )
        return self._report(seen, timing, joules, rows, best, left_out)

    def tell(self, stage: str, share: float) -> None:
        """Pass on how far we are."""
        self.progress(stage, share)

    def _share(self, stage: str, start: float, end: float) -> Callable[[float], None]:
        return lambda share: self.tell(stage, start + share * (end - start))

    def _time(self, seen: Survey, until: float) -> Timing:
        left_s = max(0.0, self.max_seconds - (time.monotonic() - self.start_s))
        deadline_s = time.monotonic() + until * left_s
        timeline = GpuTimeline(self.device.name) if self.device.is_gpu else HostTimeline()
        return InSitu(
            survey=seen, structure=structure_of(seen), timeline=timeline,
            precision=self.precision, deadline_s=deadline_s, seed=self.seed,
            tell=self._share("time", 0.1, until),
        ).run()  # fmt: skip

    def _watts(
        self, seen: Survey, recording: PowerRecording, recorder: Recorder, replaying: bool
    ) -> tuple[Powers, dict[int, str], tuple[LeftOut, ...]]:
        if recording.basis is None:
            return recording.powers(), {}, ()
        if not replaying:
            recording.run_estimate()
            recorder.stop()
            return recording.powers(), {}, ()
        replays, left_out = make_replays(seen, self.device)
        recording.settle()
        recording.run(replays)
        recorder.stop()
        return recording.powers(), names_of(replays), left_out

    def _judge(self, timing: Timing, joules: Joules, powers: Powers) -> list[Finding]:
        findings = []
        summary, spent_s = timing.summary, time.monotonic() - self.start_s
        if timing.stopped_by == "budget":
            scale_s = np.maximum(summary.rows_s, SMALL_ROW_SHARE * summary.whole_s)
            worst = float((summary.rows_half_s / scale_s).max())
            reached = worst if np.isfinite(worst) else None
            findings.append(
                stopped_by_budget("the widest row's time", reached, self.precision, spent_s)
            )
        if timing.rounds.strange_count:
            findings.append(_changing(timing))
        if abs(summary.closure - 1) > OPEN_CLOSURE + summary.closure_half:
            findings.append(_open_closure(summary.closure))
        if joules.whole_j is None:
            findings.append(no_sensor())
        elif not powers.is_measured:
            findings.append(estimate_only("the layers", joules.whole_j.source))
        return findings

    def _report(
        self,
        seen: Survey,
        timing: Timing,
        joules: Joules,
        rows: tuple[LayerCost, ...],
        hardware: HardwareBest,
        left_out: tuple[LeftOut, ...],
    ) -> LayerReport:
        summary, rounds = timing.summary, timing.rounds
        observed_s = np.median(np.concatenate(rounds.stamped_s) - np.concatenate(rounds.whole_s))
        return LayerReport(
            name=self.name,
            device=self.device.name,
            device_name=self.device.label,
            dtype=self.bench.dtype,
            batch_size=self.bench.batch_size,
            method=self.method,
            layers=rows,
            outside=outside_rows(rows, seen),
            latency_s=seconds_of(
                summary.whole_s,
                summary.whole_half_s,
                f"calls without stamps, quicker half of {rounds.run_count} pairs",
            ),
            energy_j=joules.whole_j,
            latency_closure=ratio(
                summary.closure, summary.closure_half, Basis.MEASURED,
                "sum of the rows over the whole model without stamps",
            ),
            energy_closure=joules.closure,
            tool_cost_s=timing.cost.call_s * len(seen.calls),
            observed_tool_cost_s=float(observed_s),
            run_count=rounds.run_count,
            left_out=(*seen.left_out, *left_out),
            hardware=hardware,
            findings=tuple(dict.fromkeys(self.findings)),
            stopped_by=timing.stopped_by,
            spent_s=time.monotonic() - self.start_s,
        )  # fmt: skip


def _joules(
    timing: Timing, seen: Survey, powers: Powers, name_of: dict[int, str], replaying: bool
) -> Joules:
    if not replaying:
        return shared_joules(timing.summary, seen.called, powers)
    return replayed_joules(
        timing.summary,
        [call.position for call in seen.calls],
        [call.child_count for call in seen.calls],
        name_of,
        powers,
    )


def _changing(timing: Timing) -> Finding:
    used, strange = timing.rounds.run_count, timing.rounds.strange_count
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
