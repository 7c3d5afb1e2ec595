"""One model's layers in the process that holds it: surveyed, timed by turns, and reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from profiler.counting import Rules
from profiler.machine.device import Device
from profiler.measurement.judgement import without_window_advice
from profiler.measurement.protocol import Progress
from profiler.meters import OpenedMeters, OpenMeter, close_meters, open_meters
from profiler.meters.clock import Clock, MonotonicClock
from profiler.recording.recorder import Recorder
from profiler.values.estimate import Basis
from profiler.values.findings import Finding
from profiler.values.hardware import HardwareBest
from profiler.values.layer_cost import LayerCost
from profiler.values.layer_report import LayerReport, LeftOut
from profiler.workload.prepared import PreparedModel

from .calibration import CALIBRATION_S, hardware_best
from .joules import Joules, ratio, replayed_joules, seconds_of, shared_joules
from .judgement import judge
from .replay import make_replays, names_of
from .replay_power import PowerRecording, Powers
from .rows import counted_rows, measured_rows, outside_rows
from .stamps import CallTimeline, GpuTimeline, HostTimeline
from .structure import structure_of
from .survey import Survey, survey
from .timing import InSitu, Timing
from .turns import JointTiming

CALIBRATION_SHARE = 0.1


@dataclass(slots=True)
class _Lead:
    """What only the process that writes the report needs."""

    hardware: HardwareBest
    rows: tuple[LayerCost, ...]
    opened: OpenedMeters
    recorder: Recorder
    recording: PowerRecording
    is_replayed: bool


@dataclass(slots=True)
class LayerSession:
    """One model's layers in this process.

    Args:
        name: of the model.
        bench: the model, prepared.
        device: where it is.
        precision: relative half width that is asked for.
        start_s: instant of the clock at which the measurement began.
        max_seconds: budget for everything.
        method: "replay" or "hooks".
        seed: of everything random.
        given_meters: opened meters; None takes every sensor that this process may see.
        data: what the inputs are, in words; None where nobody said.
        rules: MACs of kinds of modules by formulas of the caller's.
        clock: what time it is.
        tell: told the stage and the share of the budget that is spent.
    """

    name: str
    bench: PreparedModel
    device: Device
    precision: float
    start_s: float
    max_seconds: float
    method: str
    seed: int
    given_meters: Sequence[OpenMeter] | None
    tell: Progress
    data: str | None = None
    rules: Rules | None = None
    clock: Clock = field(default_factory=MonotonicClock)
    findings: tuple[Finding, ...] = ()
    _in_situ: InSitu | None = None
    _lead: _Lead | None = None

    def begin(self, hardware: HardwareBest | None = None) -> bool:
        """Calibrate, survey, count and open the sensors; whether layers are replayed for watts.

        Only the session that is to write the report begins; the others survey at their first turn.
        """
        self.tell("calibration", 0.0)
        best = hardware or hardware_best(
            self.device,
            seconds=min(CALIBRATION_S, CALIBRATION_SHARE * self.max_seconds),
            meters=self.given_meters,
        )
        given = self.given_meters
        with self._mode():
            seen = self._timer().survey
            self.tell("counting", 0.05)
            rows, count_findings = counted_rows(seen, self.rules)
        opened = open_meters() if given is None else OpenedMeters(list(given), ())
        recorder = self._make_recorder(opened.meters).start()
        recording = PowerRecording(
            recorder=recorder, device=self.device, run_whole=seen.run,
            deadline_s=self.start_s + self.max_seconds, precision=self.precision, seed=self.seed,
            tell=lambda share: self.tell("watts", 0.5 + 0.5 * share),
        )  # fmt: skip
        is_replayed = self.method == "replay" and recording.basis is Basis.MEASURED
        self._lead = _Lead(best, rows, opened, recorder, recording, is_replayed)
        self.findings = (
            *self.device.findings, *opened.findings, *self.bench.findings, *count_findings,
        )  # fmt: skip
        return is_replayed

    def advance(self, seconds: float) -> Timing:
        """Time the layers for so long; everything that is known since the first turn."""
        with self._mode():
            return self._timer().advance(seconds)

    def report(self, timing: JointTiming) -> LayerReport:
        """Find the watts, and join everything; the session must have begun.

        Args:
            timing: what this process and others have timed.
        """
        lead, seen = self._lead, self._timer().survey
        assert lead is not None
        with self._mode():
            powers, name_of, left_out = self._watts(seen, lead)
        joules = _joules(timing, seen, powers, name_of, lead.is_replayed)
        rows = measured_rows(
            lead.rows, seen, timing.summary, joules.rows_j, lead.hardware, self.bench.dtype
        )
        spent_s = self.clock.now_s() - self.start_s
        self.findings += (
            *without_window_advice(powers.findings),
            *judge(timing, joules, powers, precision=self.precision, spent_s=spent_s),
        )
        return self._report(timing, joules, rows, left_out)

    def end(self) -> None:
        """Let go of the sensors."""
        if self._lead is not None:
            self._lead.recorder.stop()
            if self.given_meters is None:
                close_meters(self._lead.opened.meters)

    @contextmanager
    def _mode(self) -> Iterator[None]:
        """The model's own mode, and everything as it was afterwards."""
        with self.bench.mode():
            try:
                yield
            finally:
                self.bench.renew()

    def _timer(self) -> InSitu:
        if self._in_situ is None:
            seen = survey(self.bench, self.device.name)
            timeline = self._make_timeline()
            self._in_situ = InSitu(
                survey=seen,
                structure=structure_of(seen),
                timeline=timeline,
                clock=self.clock,
                seed=self.seed,
            )
        return self._in_situ

    def _make_timeline(self) -> CallTimeline:
        return GpuTimeline(self.device.name) if self.device.is_gpu else HostTimeline()

    def _make_recorder(self, meters: Sequence[OpenMeter]) -> Recorder:
        return Recorder(meters, clock=self.clock)

    def _watts(
        self, seen: Survey, lead: _Lead
    ) -> tuple[Powers, dict[int, str], tuple[LeftOut, ...]]:
        recording = lead.recording
        if recording.basis is None:
            return recording.powers(), {}, ()
        if not lead.is_replayed:
            recording.run_estimate()
            lead.recorder.stop()
            return recording.powers(), {}, ()
        replays, left_out = make_replays(seen, self.device)
        recording.settle()
        recording.run(replays)
        lead.recorder.stop()
        return recording.powers(), names_of(replays), left_out

    def _report(
        self,
        timing: JointTiming,
        joules: Joules,
        rows: tuple[LayerCost, ...],
        left_out: tuple[LeftOut, ...],
    ) -> LayerReport:
        assert self._lead is not None
        summary, seen, parts = timing.summary, self._timer().survey, timing.timings
        among = f" of {len(parts)} processes" if len(parts) > 1 else ""
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
                f"calls without stamps, quicker half of {timing.run_count} pairs{among}",
            ),
            energy_j=joules.whole_j,
            latency_closure=ratio(
                summary.closure, summary.closure_half, Basis.MEASURED,
                "sum of the rows over the whole model without stamps",
            ),
            energy_closure=joules.closure,
            tool_cost_s=_mean([part.stamp_s for part in parts]) * len(seen.calls),
            observed_tool_cost_s=_mean([part.observed_cost_s for part in parts]),
            run_count=timing.run_count,
            process_count=len(parts),
            input_shapes=self.bench.input_shapes,
            data=self.data,
            threads=torch.get_num_threads(),
            left_out=(*seen.left_out, *left_out),
            hardware=self._lead.hardware,
            findings=tuple(dict.fromkeys(self.findings)),
            stopped_by=timing.stopped_by,
            spent_s=self.clock.now_s() - self.start_s,
        )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _joules(
    timing: JointTiming, seen: Survey, powers: Powers, name_of: dict[int, str], is_replayed: bool
) -> Joules:
    if not is_replayed:
        return shared_joules(timing.summary, seen.called, powers)
    return replayed_joules(
        timing.summary,
        [call.position for call in seen.calls],
        [call.child_count for call in seen.calls],
        name_of,
        powers,
    )
