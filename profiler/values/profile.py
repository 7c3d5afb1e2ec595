"""Profile: the one record that every later stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .applied_transform import AppliedTransform
from .codecarbon import CodeCarbonOpinion
from .deployment import Deployment
from .estimate import Estimate
from .figures import figure_frame, figure_lines, figures_of
from .findings import Finding
from .layer_cost import LayerCost
from .repetition import Repetition
from .shapes import shapes_in_words
from .trace import Trace, Window

if TYPE_CHECKING:
    import pandas

SCHEMA_VERSION = 1
HOST = "host"
"""Device of a workload that was a command: everything that the sensors of the machine saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What was run: enough to run it again.

    Args:
        model: the reference the user gave.
        device: "cpu", "cuda:0", ...
        dtype: "fp32", "bf16", "fp16", or "int8" for a quantized network.
        batch_size: items in one call; None where the inputs have no batch axis that we know of.
        input_shapes: shapes of the tensors of one call, as text ("128x3x32x32").
        data: where the inputs came from ("digits", "synthetic", "caller", ...).
        channels_last: memory format.
        compiled: whether torch.compile was used.
        threads: CPU threads of torch.
        seed: seed of everything random.
        checkpoint: file name of the weights, or None for fresh ones.
        class_count: outputs that the model was asked to have; None for its own default.
        item: what one item of the batch is, for labels ("image", "generated token").
        runtime: what executed it ("eager", "onnxruntime"); None where the run does not say.
        allocator: how the processes got their memory: "steady" (freed pages are kept), "system", or
            the name of a preloaded library.
    """

    model: str
    device: str
    dtype: str = "fp32"
    batch_size: int | None = None
    input_shapes: tuple[str, ...] = ()
    data: str = "caller"
    channels_last: bool = False
    compiled: bool = False
    threads: int | None = None
    seed: int | None = None
    checkpoint: str | None = None
    class_count: int | None = None
    item: str = "image"
    allocator: str | None = None
    runtime: str | None = None

    @property
    def executor(self) -> str:
        """What executed the model, also in runs from before the run-time was stored."""
        return self.runtime or ("compile" if self.compiled else "eager")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where it was run.

    Args:
        device_name: the device that ran the model, as its vendor names it.
        fingerprint: short digest of hardware, driver and software; numbers of two profiles may be
            compared as equals only where it matches.
        facts: everything else that was read, as flat text ("driver": "580.159", "governor": ...).
    """

    device_name: str
    fingerprint: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPart:
    """Share of one device in the joules of a call, gross and net of that device's idle.

    `in_total` says whether it is inside the profile's `energy_j`: the total counts the device that
    ran the model, and shows what else was seen (the host of a GPU, another sensor) beside it.
    """

    device: str
    energy_j: Estimate
    net_energy_j: Estimate | None
    in_total: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonFactors:
    """How joules become gCO2e. Both factors are shown wherever grams are."""

    intensity_g_per_kwh: Estimate
    pue: Estimate


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Profile:
    """One workload, measured. Physical fields are per call of the model.

    `None` means that no sensor saw it. Per-item and per-million figures are not stored but derived:
    see `profiler.quantities`.

    Args:
        name: short name of what was measured.
        created_utc: ISO 8601, to the second.
        environment: where it ran.
        workload: what ran.
        latency_s: seconds per call, the device synchronised at both ends.
        energy_j: gross joules per call of the device that ran the model, nothing counted twice.
        net_energy_j: gross minus what the same channels draw when idle.
        power_w: mean power while the model ran.
        idle_power_w: mean power of the same channels around the measurement, context open.
        peak_memory_bytes: most memory the device held for the model during a call.
        parameter_count: trainable and frozen parameters, each once.
        mac_count: multiply-accumulates of one call.
        size_bytes: parameters and buffers.
        accuracy: top-1 share of right answers, where a trained checkpoint supplied it.
        accuracy_data: what images that was reached on, which are not those of the workload; two
            accuracies are compared only where it is the same.
        right_answers: which of these images were answered rightly, one bit an image in the order of
            the split, as hexadecimal digits; so that two models are compared image by image.
        score: the efficiency score (see `profiler.values.score`) by the counts as they ran.
        score_by_ratio: the same by the counts before channels were removed, with p_s; None where
            none were.
        effective_mac_count: of `mac_count`, those whose weight is not zero; None where no transform
            made any so.
        compressed_bytes: size of the weights in a compressed file; None likewise.
        transforms: what made a variant of the model, in order.
        deployment: how a run-time executed it, and how true its answers stayed; None for eager
            torch.
        energy_parts: the same joules, channel by channel.
        carbon: factors that turn joules into grams.
        layers: cost per layer.
        traces: raw readings, enough to recompute every joule.
        windows: what happened when.
        repetition: the timed blocks by process and round, those that were set aside included.
        codecarbon: what CodeCarbon's own tracker says of the whole measurement; None where it did
            not run or gave no answer.
        findings: what to know before trusting a number.
        stopped_by: "precision", "budget" or "interrupted".
        schema_version: of the stored form.
    """

    name: str
    created_utc: str
    environment: Environment
    workload: Workload
    latency_s: Estimate | None
    energy_j: Estimate | None
    net_energy_j: Estimate | None
    power_w: Estimate | None
    idle_power_w: Estimate | None
    peak_memory_bytes: Estimate | None
    parameter_count: Estimate | None = None
    mac_count: Estimate | None = None
    size_bytes: Estimate | None = None
    accuracy: Estimate | None = None
    accuracy_data: str | None = None
    right_answers: str | None = None
    score: Estimate | None = None
    score_by_ratio: Estimate | None = None
    effective_mac_count: Estimate | None = None
    compressed_bytes: Estimate | None = None
    transforms: tuple[AppliedTransform, ...] = ()
    deployment: Deployment | None = None
    energy_parts: tuple[EnergyPart, ...] = ()
    carbon: CarbonFactors | None = None
    layers: tuple[LayerCost, ...] = ()
    traces: tuple[Trace, ...] = ()
    windows: tuple[Window, ...] = ()
    repetition: Repetition | None = None
    codecarbon: CodeCarbonOpinion | None = None
    findings: tuple[Finding, ...] = ()
    stopped_by: str | None = None
    schema_version: int = SCHEMA_VERSION

    def __str__(self) -> str:
        workload = self.workload
        shapes = shapes_in_words(workload.input_shapes) or "a command"
        where = f"{self.environment.device_name} ({workload.device}, {workload.dtype})"
        lines = [f"{self.name}: {shapes} on {where}, per call:", figure_lines(figures_of(self))]
        lines += [f"  ! {finding.observed}" for finding in self.findings]
        return "\n".join(lines)

    __repr__ = __str__

    def to_pandas(self) -> pandas.DataFrame:
        """The figures as a table: one row a number, with interval, unit, basis and source."""
        return figure_frame(figures_of(self))

    def layers_to_pandas(self) -> pandas.DataFrame:
        """The layers as a table: one row a layer, units in the column names."""
        from .layer_table import layer_frame

        return layer_frame(self.layers)
