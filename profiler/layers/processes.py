"""The layers of models that fresh processes hold: what the measurement asks, and what they answer.

The upper half runs in the process that measures, the lower half in those that were started.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from profiler.measurement.protocol import Progress
from profiler.measurement.worker import Station
from profiler.measurement.workers import Prepared, RemoteRunner
from profiler.meters.choice import sensor_choice, using_sensors
from profiler.values.codec import decode, encode
from profiler.values.findings import Finding
from profiler.values.layer_report import LayerReport

from .measurable import timed_device
from .measurement import check_layer_arguments, conduct_layers
from .session import LayerSession
from .timing import Timing
from .trimmed_mean import Summary
from .turns import JointTiming


def layers_in_processes(
    crew: Prepared,
    *,
    precision: float = 0.05,
    max_seconds: float = 60.0,
    method: str = "replay",
    seed: int = 0,
    sensors: str | None = None,
    without: Sequence[str] | None = None,
    progress: Progress,
) -> list[LayerReport]:
    """A report a model, timed by turns in all processes; watts are seen in the first of them.

    Args:
        crew: the processes, prepared.
        precision: as in `measure_layers`.
        max_seconds: budget of each model.
        method: as in `measure_layers`.
        seed: of everything random.
        sensors: the only ones to read, as the flag says it; None for all.
        without: those to leave out, as the flag says it.
        progress: called with the stage and the share of a model's budget that is spent.

    Raises:
        UsageError: an argument is out of its range, or a model runs compiled.
        MeasurementError: a model raised, or runs other modules at every call.
    """
    check_layer_arguments(precision, max_seconds, method)
    reports = []
    for number in range(len(crew.names)):
        start_s = time.monotonic()
        order = {
            "model": number, "precision": precision, "max_seconds": max_seconds, "method": method,
            "seed": seed, "start_s": start_s, "sensors": sensors, "without": without,
        }  # fmt: skip
        sessions = [_RemoteSession(runner, order) for runner in crew.runners]
        report = conduct_layers(
            sessions[0],
            sessions,
            is_replayed=sessions[0].begin(),
            precision=precision,
            start_s=start_s,
            max_seconds=max_seconds,
            seed=seed,
            tell=progress,
        )
        findings: tuple[Finding, ...] = (*crew.findings, *report.findings)
        reports.append(replace(report, findings=findings))
    return reports


@dataclass(frozen=True, slots=True)
class _RemoteSession:
    """The layers of one model in another process."""

    runner: RemoteRunner
    order: Mapping[str, Any]

    def begin(self) -> bool:
        return bool(self._call("begin"))

    def advance(self, seconds: float) -> Timing:
        return _timing_from(self._call("advance", seconds=seconds))

    def report(self, timing: JointTiming) -> LayerReport:
        document = {
            "summary": _summary_document(timing.summary),
            "timings": [_timing_document(part) for part in timing.timings],
            "stopped_by": timing.stopped_by,
            "findings": encode(timing.findings),
        }
        report: LayerReport = decode(self._call("report", timing=document), LayerReport)
        return report

    def _call(self, function: str, **arguments: Any) -> Any:
        return self.runner.call(f"{__name__}:{function}", order=self.order, **arguments)


def begin(station: Station, arguments: Mapping[str, Any]) -> bool:
    """`LayerSession.begin` in a process that was started."""
    order = arguments["order"]
    sensors, without = order["sensors"], order["without"]
    if sensors is None and without is None:
        return _session(station, order).begin()
    with using_sensors(sensor_choice(sensors, without)):
        return _session(station, order).begin()


def advance(station: Station, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`LayerSession.advance` in a process that was started."""
    timing = _session(station, arguments["order"]).advance(arguments["seconds"])
    return _timing_document(timing)


def report(station: Station, arguments: Mapping[str, Any]) -> Any:
    """`LayerSession.report` in a process that was started; its session ends with it."""
    session, document = _session(station, arguments["order"]), arguments["timing"]
    timing = JointTiming(
        summary=_summary_from(document["summary"]),
        timings=tuple(map(_timing_from, document["timings"])),
        stopped_by=document["stopped_by"],
        findings=decode(document["findings"], tuple[Finding, ...]),
    )
    try:
        return encode(session.report(timing))
    finally:
        session.end()


def _session(station: Station, order: Mapping[str, Any]) -> LayerSession:
    """That of the model; a new one at its first message."""
    name = f"layers of model {order['model']}"
    if name not in station.kept:
        request, bench, device = station.ready[order["model"]]
        station.kept[name] = LayerSession(
            name=request.name or type(request.model).__name__,
            bench=bench,
            device=timed_device(device.name),
            precision=order["precision"],
            start_s=order["start_s"],
            max_seconds=order["max_seconds"],
            method=order["method"],
            seed=order["seed"],
            given_meters=None,
            tell=_silent,
            data=None if request.workload is None else request.workload.data,
        )
    session: LayerSession = station.kept[name]
    return session


def _silent(stage: str, share: float) -> None:
    """The measurement tells its own progress."""


def _summary_document(summary: Summary) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value := getattr(summary, name), np.ndarray) else value
        for name in Summary.__slots__
    }


def _summary_from(document: Mapping[str, Any]) -> Summary:
    fields: dict[str, Any] = {
        name: np.array(value) if isinstance(value, list) else value
        for name, value in document.items()
    }
    return Summary(**fields)


def _timing_document(timing: Timing) -> dict[str, Any]:
    document = {name: getattr(timing, name) for name in Timing.__slots__}
    summary = timing.summary
    return {**document, "summary": None if summary is None else _summary_document(summary)}


def _timing_from(document: Mapping[str, Any]) -> Timing:
    summary = document["summary"]
    return Timing(
        **{
            **document,
            "summary": None if summary is None else _summary_from(summary),
            "positions": tuple(document["positions"]),
        }
    )
