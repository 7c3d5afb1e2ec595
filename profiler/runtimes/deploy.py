"""A prepared model in the hands of a run-time, held against eager torch before it is timed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from profiler.counting.call import as_call, evaluating
from profiler.errors import ExportError, UsageError
from profiler.machine.device import Device
from profiler.values.deployment import Deployment
from profiler.values.estimate import Basis, counted, stated
from profiler.workload.exported import Inputs
from profiler.workload.prepared import (
    PreparedModel,
    explained,
    map_tensors,
    tensors_in,
)
from profiler.workload.quantized import quantized_parts
from profiler.workload.transformed import left_to_runtime, source_of

from .agreement import agreement, check_agreement
from .job import Executable, Exported, Job, Layers, size_of, with_items
from .shared_export import SharedExport
from .table import COMPILE, EAGER, check, find

ITEMS_A_CALL = 32
OWN_INPUTS = "the measured call"
EXPORT_SOURCE = (
    "monotonic clock, once: export, calibration, compilation with what its caches held, loading"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSamples:
    """What a run-time's answers are held against eager torch's on.

    Args:
        inputs: as `profiler.measure` takes them; items of the first axis of every tensor.
        description: what they are.
    """

    inputs: Any
    description: str


def runtime_of(model: nn.Module, asked: str | None) -> str:
    """What runs a model: what was asked for, or torch in the one way that makes sense.

    Raises:
        UsageError: the model was made for another run-time, or cannot be run by this one.
    """
    left = left_to_runtime(model)
    if asked is not None:
        find(asked)
    if left is not None:
        if asked not in (None, left.runtime):
            raise UsageError(
                f"the {left.precision} of this model was left to {left.runtime}, not to {asked}",
                hint=f"--runtime {left.runtime}",
            )
        return left.runtime
    name = asked or (COMPILE if quantized_parts(model) else EAGER)
    if quantized_parts(model) and name != COMPILE:
        hint = (
            f"profiler.transform(model, ..., runtime={name!r})"
            if not find(name).is_torch
            else "--runtime compile, which is the default for int8"
        )
        raise UsageError(f"a model quantized by torchao does not run on {name}", hint=hint)
    return name


def deploy(
    bench: PreparedModel,
    device: Device,
    *,
    runtime: str,
    samples: AgreementSamples | None = None,
    shared: SharedExport | None = None,
) -> PreparedModel:
    """The same call, made by a run-time; eager torch's is handed back as it came.

    Args:
        bench: laid out for torch.
        device: that it was laid out on.
        runtime: see `runtime_of`.
        samples: to compare answers on; by default the inputs of the call.
        shared: where the files are that the processes of a measurement have in common.

    Raises:
        UsageError: the run-time does not do this precision, layout or device.
        ExportError: the model cannot be exported, or its answers change.
    """
    if runtime == EAGER:
        return bench
    check(runtime, precision=bench.dtype, device=device.name)
    check_layout(bench, runtime)
    with TemporaryDirectory(prefix="wattprof-") as folder, explained(device):
        job = job_of(bench, runtime)
        executable, deployment, _ = carry_out(job, Path(folder), shared)
    deployment = compared(bench, executable, deployment, samples)
    arguments, keywords = job.ordered
    run = executable.call

    def call() -> None:
        with explained(device), torch.inference_mode():
            run(*arguments, **keywords)

    call()
    device.synchronize()
    return replace(bench, call=call, is_compiled=True, deployment=deployment)


def check_layout(bench: PreparedModel, runtime: str) -> None:
    """Refuse a way of calling that a run-time outside torch does not have.

    Raises:
        UsageError: channels-last inputs.
        ExportError: a model that changes its inputs.
    """
    if find(runtime).is_torch:
        return
    if bench.changes_inputs:
        raise ExportError(
            f"the model changes its inputs in place, which {runtime} does not do",
            hint="let forward work on a copy",
        )
    if any(t.ndim == 4 and not t.is_contiguous() for t in tensors_in(bench.inputs)):
        raise UsageError(
            f"channels-last is a layout of torch: {runtime} chooses its own",
            hint="leave out --channels-last",
        )


def job_of(bench: PreparedModel, runtime: str) -> Job:
    """What the run-time is given of a prepared model."""
    left = left_to_runtime(bench.model)
    return Job(
        runtime=runtime,
        model=bench.model,
        inputs=bench.inputs,
        precision=bench.dtype,
        threads=torch.get_num_threads(),
        calibration=() if left is None else left.batches,
    )


def carry_out(
    job: Job, folder: Path, shared: SharedExport | None = None
) -> tuple[Executable, Deployment, Exported | None]:
    """Export into a folder, or into a shared one once, and load what was written there.

    Raises:
        ExportError: one of the two failed, or nothing in the model runs in the precision.
    """
    home = import_module(f".{find(job.runtime).home}", __package__)
    if not find(job.runtime).is_torch:
        job.check_form()
    begun_s = time.monotonic()
    exported: Exported | None
    if shared is None or find(job.runtime).is_torch:
        exported = home.export(job, folder)
    else:
        exported = shared.exported(partial(home.export, job))
    executable: Executable = home.load(job, None if exported is None else exported.file)
    export_s = time.monotonic() - begun_s
    layers = executable.layers or (exported and exported.layers) or Layers(as_asked_count=None)
    if layers.as_asked_count == 0 and layers.fell_back:
        raise ExportError(
            f"{job.runtime} runs no layer of this model in {job.precision} on this machine: "
            f"{layers.fell_back[0].layer} {layers.fell_back[0].reason}",
            hint=f"another --runtime, or leave out +{job.precision}",
        )
    deployment = Deployment(
        runtime=job.runtime,
        version=executable.version,
        precision=job.precision,
        export_s=stated(export_s, "s", Basis.MEASURED, EXPORT_SOURCE)
        if executable.is_loaded_anew
        else None,
        file_bytes=None
        if exported is None
        else counted(size_of(exported.file), "B", "the files that are deployed"),
        as_asked_count=layers.as_asked_count,
        fell_back=layers.fell_back,
    )
    return executable, deployment, exported


def compared(
    bench: PreparedModel,
    executable: Executable,
    deployment: Deployment,
    samples: AgreementSamples | None,
) -> Deployment:
    """The deployment with its agreement with eager torch.

    Raises:
        ExportError: the answers change.
    """
    reference = source_of(bench.model)
    if quantized_parts(reference):
        return deployment
    chunks, item_count, source = _chunks(bench, deployment.runtime, samples)
    with evaluating(reference):
        found = agreement(reference, executable.call, chunks, source, item_count=item_count)
    check_agreement(found, runtime=deployment.runtime, precision=deployment.precision)
    return replace(deployment, sqnr_db=found.sqnr_db, top1_agreement=found.top1)


def _chunks(
    bench: PreparedModel, runtime: str, samples: AgreementSamples | None
) -> tuple[list[Inputs], int | None, str]:
    """The samples, call by call, as many items as the run-time takes; how many there are; what."""
    size = bench.batch_size
    if samples is None or size is None:
        return [bench.inputs], None, OWN_INPUTS
    like = tensors_in(bench.inputs)
    inputs = as_call(samples.inputs)
    count = len(tensors_in(inputs)[0])
    takes_any = find(runtime).takes_any_batch
    items = ITEMS_A_CALL if takes_any else size
    distinct = count
    if count < items and not takes_any:
        inputs, count = with_items(inputs, items), items

    def place(tensor: torch.Tensor) -> torch.Tensor:
        is_real = tensor.is_floating_point() and like[0].is_floating_point()
        return tensor.to(like[0].device, like[0].dtype if is_real else tensor.dtype)

    def cut(start: int) -> Inputs:
        taken: Inputs = map_tensors(
            lambda t: place(t[start : start + items] if t.ndim and len(t) == count else t), inputs
        )
        return taken

    end = count if takes_any else count - items + 1
    chunks = [cut(start) for start in range(0, end, items)]
    return chunks, distinct, samples.description
