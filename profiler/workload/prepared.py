"""A model and its inputs, laid out on a device so that one call can be made over and over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from profiler.counting.call import as_call, as_module, evaluating, set_to_evaluate
from profiler.errors import (
    DeviceError,
    MeasurementError,
    ProfilerError,
    TransformError,
    UsageError,
)
from profiler.interruption import heed_interruption
from profiler.machine.device import Device
from profiler.values.deployment import Deployment
from profiler.values.findings import Finding, variant_note
from profiler.values.plain_text import one_line

from .copies import copied
from .quantized import quantized_parts
from .transformed import left_to_runtime, precision_of, transforms_of
from .way import find_way

ADVICE = "check --input-shape and --data, or see the traceback with --debug"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedModel:
    """One call, ready to be made.

    Args:
        model: the module as it runs: on the device, in eval mode, in its dtype.
        inputs: positional and keyword arguments of a call, placed and cast like the model.
        call: makes one call and drops what it returns; does not wait for the device.
        renew: puts back what calls change; `call` ends with it.
        mode: the context in which calls are made: the gradient mode, errors explained.
        batch_size: length of the first axis of the first tensor among the inputs.
        input_shapes: of every tensor among the inputs, as text.
        dtype: "fp32", "bf16", "fp16", or the model's own where none was asked for ("int8" for one
            that was quantized).
        is_compiled: whether it runs as something else than the module's own operators.
        changes_inputs: whether a call of the model changes its inputs in place.
        deployment: how a run-time executes it; None for eager torch.
        findings: what the way it is called needs the reader to know.
    """

    model: nn.Module
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    call: Callable[[], None]
    renew: Callable[[], None]
    mode: Callable[[], AbstractContextManager[Any]]
    batch_size: int | None
    input_shapes: tuple[str, ...]
    dtype: str
    is_compiled: bool = False
    changes_inputs: bool = False
    deployment: Deployment | None = None
    findings: tuple[Finding, ...] = ()


def map_tensors(change: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """The same nested structure with every tensor changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: map_tensors(change, item) for key, item in value.items()}
    if isinstance(value, PackedSequence):  # its batch sizes stay on the host
        data, _, *order = value
        return PackedSequence(
            change(data), value.batch_sizes, *(map_tensors(change, i) for i in order)
        )
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(change, item) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(change, item) for item in value)
    return value


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Every tensor of a nested structure, in order."""
    found: list[torch.Tensor] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        found.append(tensor)
        return tensor

    map_tensors(note, value)
    return found


def prepare(
    model: nn.Module,
    inputs: Any,
    device: Device,
    *,
    dtype: str | None = None,
    channels_last: bool = False,
    runtime: str | None = None,
) -> PreparedModel:
    """Lay out a copy of the model; the one that was given stays as it is, and so do the inputs.

    `DataParallel` is taken off: it would spread the work over GPUs that nobody asked for. Every
    call starts from the same state of the model, its inputs and the random generators. `runtime`
    is what will make the calls in torch's place, and give the model its precision where that was
    left to it.

    Raises:
        UsageError: unknown dtype, no module, or a model whose precision a transform has set, or has
            left to another run-time.
        TransformError: the model is quantized for another kind of device.
        DeviceError: not enough memory.
        MeasurementError: the model cannot be copied, its first call raised, or it returned a
            generator, whose work would be done after the call.
    """
    module = as_module(model)
    _check(module, dtype, device, runtime)
    torch_dtype = None if dtype is None else DTYPES[dtype]
    place = _Placement(device.name, torch_dtype, channels_last)
    with explained(device):
        bench_model, given = copied(module, as_call(inputs), place)
        if bench_model is module:
            _check_in_place(module, device, dtype, channels_last)
        else:
            set_to_evaluate(bench_model).to(device.name)
        if torch_dtype is not None:
            bench_model = bench_model.to(torch_dtype)
        if channels_last:
            bench_model = bench_model.to(memory_format=torch.channels_last)
    around = partial(_around, device, bench_model if bench_model is module else None)
    way = find_way(bench_model, given, module, around)
    device.synchronize()
    tensors = tensors_in(given)
    return PreparedModel(
        model=bench_model,
        inputs=given,
        call=way.call,
        renew=way.renewal,
        mode=way.mode,
        batch_size=tensors[0].size(0) if tensors and tensors[0].ndim > 1 else None,
        input_shapes=tuple(shape_of(tensor) for tensor in tensors),
        dtype=dtype or _own_dtype(bench_model, tensors),
        is_compiled=bool(quantized_parts(bench_model)),
        changes_inputs=way.renewal.changes_inputs,
        findings=(
            *way.findings,
            *(variant_note(note) for item in transforms_of(module) for note in item.notes),
        ),
    )


def _check(model: nn.Module, dtype: str | None, device: Device, runtime: str | None) -> None:
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"there is no dtype {dtype!r}", hint=f"use one of {', '.join(DTYPES)}")
    setting, left = precision_of(model), left_to_runtime(model)
    if dtype is not None and setting is not None:
        raise UsageError(
            f"the precision of this model is set by {setting.name}, and cannot be {dtype}",
            hint="leave out --dtype",
        )
    if left is not None and left.runtime != runtime:
        raise UsageError(
            f"the {left.precision} of this model was left to {left.runtime}, and torch has it in "
            "fp32 alone",
            hint=f"measure it with --runtime {left.runtime}",
        )
    if device.is_gpu and quantized_parts(model):
        raise TransformError(
            f"a network quantized for CPUs has no kernels on {device.name}", hint="--device cpu"
        )


@contextmanager
def _around(device: Device, shared: nn.Module | None) -> Iterator[None]:
    """What every call is made in; a model that could not be copied is in eval mode meanwhile."""
    with explained(device), nullcontext() if shared is None else evaluating(shared):
        yield


def _check_in_place(model: nn.Module, device: Device, dtype: str | None, is_last: bool) -> None:
    """Raises UsageError where a model that cannot be copied would have to be changed."""
    elsewhere = any(p.device.type != device.name.partition(":")[0] for p in model.parameters())
    if dtype is not None or is_last or elsewhere:
        raise UsageError(
            f"{type(model).__name__} is sharded by FSDP2 and is measured as it is: its device, "
            "dtype and memory format cannot be changed",
            hint="give the device that it is on, and neither dtype nor channels_last",
        )


def shape_of(tensor: torch.Tensor) -> str:
    """Sizes of a tensor as text; of a nested one the sizes of its parts, joined."""
    if tensor.is_nested:
        return "+".join("x".join(map(str, part.shape)) for part in tensor.unbind())
    return "x".join(map(str, tensor.shape))


@dataclass(frozen=True, slots=True)
class _Placement:
    """Brings a tensor to where the model is, in its precision and layout."""

    device: str
    dtype: torch.dtype | None
    channels_last: bool

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        placed = tensor.detach().to(self.device, copy=True)
        if self.dtype is not None and tensor.is_floating_point():
            placed = placed.to(self.dtype)
        if self.channels_last and tensor.ndim == 4 and not tensor.is_nested:
            placed = placed.contiguous(memory_format=torch.channels_last)
        return placed.requires_grad_(tensor.requires_grad)


def _own_dtype(model: nn.Module, inputs: Sequence[torch.Tensor]) -> str:
    left = left_to_runtime(model)
    if left is not None:
        return left.precision
    for part in quantized_parts(model):
        return part.precision
    tensors = [*model.parameters(), *inputs]
    names = {torch_dtype: name for name, torch_dtype in DTYPES.items()}
    for tensor in tensors:
        if tensor.is_floating_point():
            return names.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
    return "fp32"


@contextmanager
def explained(device: Device, *, advice: str = ADVICE) -> Iterator[None]:
    """Turns whatever the user's model raises inside into an error that says what to do.

    Args:
        device: where it runs.
        advice: the hint, in flags that the caller's user has.
    """
    try:
        yield
    except ProfilerError:
        raise
    # The model is the user's: it may raise anything, or end the program.
    except (Exception, SystemExit) as error:
        heed_interruption(error)
        raise explain(error, device, advice=advice) from error


def explain(error: BaseException, device: Device, *, advice: str = ADVICE) -> ProfilerError:
    """The error of a model's call, in one sentence."""
    if is_out_of_memory(error):
        return DeviceError(
            f"{device.name} ran out of memory", hint="make the calls smaller with --batch-size"
        )
    text = one_line(error)
    shown = text if len(text) <= 300 else f"{text[:297]}..."
    return MeasurementError(
        f"the model raised {shown}",
        hint=advice,
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was missing, on a GPU or on the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def nonfinite_tensors(model: nn.Module, limit: int = 3) -> Sequence[str]:
    """Names of the first parameters and buffers that hold NaN or infinity."""
    names = []
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point() and not tensor.is_meta:
            if not bool(torch.isfinite(tensor.detach()).all()):
                names.append(name)
            if len(names) == limit:
                break
    return names
