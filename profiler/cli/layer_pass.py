"""Seconds and joules of every layer, for `layers` and `measure --layers`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler.values.findings import Finding
from profiler.values.units import show

from .options import chosen_sensors
from .workload import load_requests

if TYPE_CHECKING:
    from profiler.measurement.protocol import Progress
    from profiler.measurement.request import Request
    from profiler.measurement.workers import Prepared
    from profiler.values.layer_report import LayerReport
    from profiler.values.profile import Profile

LAYER_PRECISION, REPLAY = 0.05, "replay"
OPEN_SHARE = 0.05


def layers_here(
    options: dict[str, Any],
    progress: Progress,
    *,
    precision: float = LAYER_PRECISION,
    method: str = REPLAY,
) -> list[LayerReport]:
    """A layer report a model, from this process; within --max-seconds each.

    Args:
        options: the arguments of the verb, as JSON holds them.
        progress: called with the stage and the share of a model's budget that is spent.
        precision: relative half width of the rows at which to stop.
        method: of finding joules.
    """
    from profiler.layers import measure_layers

    def measured(request: Request) -> LayerReport:
        report = measure_layers(
            request.model,
            request.inputs,
            name=request.name,
            device=request.device,
            dtype=request.dtype,
            channels_last=request.channels_last,
            precision=precision,
            max_seconds=options["max_seconds"],
            method=method,
            seed=request.seed,
            progress=progress,
        )
        return replace(report, data=None if request.workload is None else request.workload.data)

    with chosen_sensors(options):
        return [measured(request) for request in load_requests(options)]


def layers_there(
    crew: Prepared,
    options: dict[str, Any],
    progress: Progress,
    *,
    precision: float = LAYER_PRECISION,
    method: str = REPLAY,
) -> list[LayerReport]:
    """The same from processes that have prepared the models, by turns."""
    from profiler.layers.processes import layers_in_processes

    return layers_in_processes(
        crew,
        precision=precision,
        max_seconds=options["max_seconds"],
        method=method,
        seed=options["seed"],
        sensors=options["sensors"],
        without=options["without"],
        progress=progress,
    )


def with_layers(profile: Profile, report: LayerReport) -> Profile:
    """The profile with seconds and joules in its layers, and how these add up as findings."""
    findings = (*profile.findings, *report.findings, *_closures(profile, report))
    return replace(profile, layers=report.layers, findings=tuple(dict.fromkeys(findings)))


def _closures(profile: Profile, report: LayerReport) -> list[Finding]:
    """How the rows add up: to the whole of their own pass, and to the headline's."""
    findings = [report.closure_finding()]
    headline_s = profile.latency_s
    if headline_s is None or headline_s.point <= 0:
        return findings
    apart = report.latency_s.point / headline_s.point
    known = (headline_s.relative_half_width or 0.0) + (report.latency_s.relative_half_width or 0.0)
    if abs(apart - 1) > OPEN_SHARE + known:
        findings.append(
            Finding(
                kind="layers-differ",
                observed=f"the whole model took {show(report.latency_s)} in the pass over its "
                f"layers, and {show(headline_s)} in the headline: the layers add up to the former",
                remedy="read the layers as shares; quieten the machine and repeat",
            )
        )
    return findings
