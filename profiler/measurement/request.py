"""A model that is to be measured, and how it becomes one that can be called and is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.machine.allocator import allocator_in_use
from profiler.machine.environment import host_facts
from profiler.values.findings import nonfinite_weights
from profiler.values.profile import Workload

from .model_facts import ModelFacts

if TYPE_CHECKING:
    from torch import nn

    from profiler.counting import Rules
    from profiler.machine.device import Device
    from profiler.runtimes.deploy import AgreementSamples
    from profiler.runtimes.shared_export import SharedExport
    from profiler.workload.prepared import PreparedModel


@dataclass(slots=True, kw_only=True)
class Request:
    """One model, its inputs, and how to run it.

    Args:
        model: any module; it is copied.
        inputs: a tensor, a tuple (positional), a dict (keywords) or a (tuple, dict) pair.
        name: short name; None takes the model's class.
        device: "cpu", "cuda", "cuda:N" or "auto".
        dtype: "fp32", "bf16" or "fp16"; None keeps the model's own.
        batch_size: items in one call; None takes the first axis of the first tensor.
        channels_last: use the channels-last memory format.
        runtime: what executes it, by its name in the table of run-times; None for eager torch, or
            for what the model was transformed for.
        agreement_on: what the answers of a run-time are held against eager torch's on; None for the
            inputs of the call.
        seed: of everything random.
        rules: MACs of kinds of modules by formulas of the caller's; see `profiler.count`.
        workload: what to record about where the model and its inputs came from.
    """

    model: nn.Module
    inputs: Any
    name: str | None = None
    device: str = "auto"
    dtype: str | None = None
    batch_size: int | None = None
    channels_last: bool = False
    runtime: str | None = None
    agreement_on: AgreementSamples | None = None
    seed: int = 0
    rules: Rules | None = None
    workload: Workload | None = None


def prepare_request(
    request: Request, shared: SharedExport | None = None
) -> tuple[PreparedModel, Device]:
    """Lay out the model on its device, ready to be called.

    Args:
        request: what to lay out.
        shared: where the files are that a run-time loads in several processes.

    Raises:
        UsageError: an argument is out of its range.
        DeviceError: the device is absent or ran out of memory.
        ExportError: the run-time is not installed, cannot take the model, or changes its answers.
        MeasurementError: the model raised.
    """
    from profiler.machine.device import find_device
    from profiler.runtimes.deploy import deploy, runtime_of
    from profiler.workload.prepared import prepare

    if request.batch_size is not None and request.batch_size < 1:
        raise UsageError(
            f"a batch size of {request.batch_size} is not possible",
            hint="give --batch-size 1 or more",
        )
    device = find_device(request.device)
    runtime = runtime_of(request.model, request.runtime)
    prepared = prepare(
        request.model,
        request.inputs,
        device,
        dtype=request.dtype,
        channels_last=request.channels_last,
        runtime=runtime,
    )
    deployed = deploy(
        prepared, device, runtime=runtime, samples=request.agreement_on, shared=shared
    )
    return deployed, device


def facts_of(request: Request, prepared: PreparedModel, device: Device) -> ModelFacts:
    """Count the call, find its peak of memory, and look at the weights."""
    from profiler.workload.prepared import nonfinite_tensors

    from .call_counts import count_call
    from .peak_memory import peak_memory

    counts, deployment = count_call(prepared, request.rules), prepared.deployment
    workload = _workload(request, prepared, device)
    broken = tuple(nonfinite_tensors(prepared.model))
    return ModelFacts(
        name=request.name or type(request.model).__name__,
        workload=workload,
        device_label=device.label,
        gpu_identity=device.identity,
        environment=host_facts(),
        parameter_count=counts.parameter_count,
        mac_count=counts.mac_count,
        size_bytes=(deployment and deployment.file_bytes) or counts.size_bytes,
        deployment=deployment,
        # It is defined for one image.
        score=counts.score(workload.batch_size) if workload.item == "image" else None,
        score_by_ratio=counts.score_by_ratio(),
        effective_mac_count=counts.effective_mac_count,
        compressed_bytes=counts.compressed_bytes,
        transforms=counts.transforms,
        peak_memory_bytes=None if prepared.is_compiled else peak_memory(prepared, device),
        layers=counts.layers,
        findings=(
            *device.findings,
            *prepared.findings,
            *counts.findings,
            *((nonfinite_weights(broken),) if broken else ()),
        ),
    )


def _workload(request: Request, prepared: PreparedModel, device: Device) -> Workload:
    import torch

    runtime = "eager" if prepared.deployment is None else prepared.deployment.runtime
    given = request.workload or Workload(model=type(request.model).__name__, device=device.name)
    items = request.batch_size if request.batch_size is not None else prepared.batch_size
    return replace(
        given,
        device=device.name,
        dtype=prepared.dtype,
        batch_size=items,
        input_shapes=prepared.input_shapes,
        channels_last=request.channels_last,
        compiled=runtime == "compile",
        runtime=runtime,
        threads=torch.get_num_threads(),
        seed=request.seed,
        allocator=allocator_in_use(),
    )
