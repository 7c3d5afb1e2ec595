"""`measure --layers`: seconds and joules of every layer, from a process that ran the blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profiler.values.findings import Finding
from profiler.values.units import show

from .options import chosen_sensors
from .workload import load_requests

if TYPE_CHECKING:
    from profiler.values.layer_report import LayerReport
    from profiler.values.profile import Profile

OPEN_SHARE = 0.05


def measure_pass(options: dict[str, Any]) -> list[Any]:
    """A layer report a model, as JSON holds it; within --max-seconds each.

    Args:
        options: the arguments of `measure`.
    """
    from profiler.layers import measure_layers
    from profiler.values.codec import encode

    with chosen_sensors(options):
        return [
            encode(
                measure_layers(
                    request.model,
                    request.inputs,
                    name=request.name,
                    device=request.device,
                    dtype=request.dtype,
                    channels_last=request.channels_last,
                    max_seconds=options["max_seconds"],
                    seed=request.seed,
                )
            )
            for request in load_requests(options)
        ]


def with_layers(profile: Profile, encoded: Any) -> Profile:
    """The profile with seconds and joules in its layers, and how these add up as findings."""
    from profiler.values.codec import decode
    from profiler.values.layer_report import LayerReport

    report: LayerReport = decode(encoded, LayerReport)
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
