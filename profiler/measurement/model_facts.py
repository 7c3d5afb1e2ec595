"""What is known of a model before it is timed; torch-free, so that a worker can hand it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiler.values.applied_transform import AppliedTransform
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.layer_cost import LayerCost
from profiler.values.profile import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A prepared model in numbers and words.

    Args:
        name: short name of the profile.
        workload: what runs, completed by what preparing it showed.
        device_label: the hardware as its vendor names it.
        gpu_identity: a GPU's UUID; None for a CPU.
        environment: what the process that runs it can say about its machine and software.
        parameter_count: every parameter tensor once.
        mac_count: of one call; None where not every operator could be counted.
        size_bytes: parameters and buffers.
        score: the efficiency score of one item.
        score_by_ratio, effective_mac_count, compressed_bytes, transforms: as in `Profile`; of
            variants alone.
        peak_memory_bytes: held at the worst moment of a call.
        layers: exact counts, layer by layer.
        findings: about the device, the way it is called, its counts and its weights.
    """

    name: str
    workload: Workload
    device_label: str
    gpu_identity: str | None
    environment: Mapping[str, str]
    parameter_count: Estimate | None = None
    mac_count: Estimate | None = None
    size_bytes: Estimate | None = None
    score: Estimate | None = None
    score_by_ratio: Estimate | None = None
    effective_mac_count: Estimate | None = None
    compressed_bytes: Estimate | None = None
    transforms: tuple[AppliedTransform, ...] = ()
    peak_memory_bytes: Estimate | None = None
    layers: tuple[LayerCost, ...] = ()
    findings: tuple[Finding, ...] = ()
