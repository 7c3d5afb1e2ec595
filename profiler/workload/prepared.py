"""A model and its inputs, laid out on a device so that one call can be made over and over."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from profiler.errors import (
    DeviceError,
    MeasurementError,
    ProfilerError,
    TransformError,
    UsageError,
)
from profiler.interruption import heed_interruption
from profiler.machine.device import Device
from profiler.values.findings import Finding, inputs_renewed, variant_note
from profiler.values.plain_text import one_line

from .quantized import quantized_parts
from .transformed import precision_of, transforms_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedModel:
    """One call, ready to be made.

    Args:
        model: the module as it runs: on the device, in eval mode, in its dtype.
        inputs: positional and keyword arguments of a call, placed and cast like the model.
        call: makes one call and drops what it returns; does not wait for the device.
        batch_size: length of the first axis of the first tensor among the inputs.
        input_shapes: of every tensor among the inputs, as text.
        dtype: "fp32", "bf16", "fp16", or the model's own where none was asked for ("int8" for one
            that was quantized).
        is_compiled: whether it runs as code that a compiler made of it.
        findings: what the way it is called needs the reader to know.
    """

    model: nn.Module
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    call: Callable[[], None]
    batch_size: int | None
    input_shapes: tuple[str, ...]
    dtype: str
    is_compiled: bool = False
    findings: tuple[Finding, ...] = ()


def split_inputs(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of a call.

    Args:
        inputs: a tensor, a tuple of positional arguments, a dict of keyword arguments, or a
            (tuple, dict) pair of both.
    """
    if isinstance(inputs, dict):
        return (), inputs
    if isinstance(inputs, tuple):
        if len(inputs) == 2 and isinstance(inputs[0], tuple) and isinstance(inputs[1], dict):
            return inputs[0], inputs[1]
        return inputs, {}
    return (inputs,), {}


def map_tensors(change: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """The same nested structure with every tensor changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: map_tensors(change, item) for key, item in value.items()}
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
    compiled: bool = False,
) -> PreparedModel:
    """Lay out a copy of the model; the one that was given stays as it is, and so do the inputs.

    `DataParallel` is taken off: it would spread the work over GPUs that nobody asked for. A model
    that changes its inputs in place is given fresh ones in every call.

    Raises:
        UsageError: unknown dtype, or a model whose precision a transform has set.
        TransformError: the model is quantized for another kind of device.
        DeviceError: not enough memory.
        MeasurementError: the model cannot be copied, its first call raised, or it returned a
            generator, whose work would be done after the call.
    """
    _check(model, dtype, device)
    torch_dtype = None if dtype is None else DTYPES[dtype]
    with explained(device):
        bench_model = _copied(model).eval().to(device.name)
        if torch_dtype is not None:
            bench_model = bench_model.to(torch_dtype)
        if channels_last:
            bench_model = bench_model.to(memory_format=torch.channels_last)
        place = _Placement(device.name, torch_dtype, channels_last)
        arguments, keywords = map_tensors(place, split_inputs(inputs))
        is_whole = bool(quantized_parts(bench_model))  # it compiles itself
        runner = torch.compile(bench_model) if compiled and not is_whole else bench_model
    tensors = tensors_in((arguments, keywords))
    is_renewed = _first_call(bench_model, (arguments, keywords), device)

    def call() -> None:
        with explained(device), torch.inference_mode():
            if is_renewed:
                own_arguments, own_keywords = map_tensors(torch.clone, (arguments, keywords))
                runner(*own_arguments, **own_keywords)
            else:
                runner(*arguments, **keywords)

    call()
    device.synchronize()
    return PreparedModel(
        model=bench_model,
        inputs=(arguments, keywords),
        call=call,
        batch_size=tensors[0].shape[0] if tensors and tensors[0].ndim > 1 else None,
        input_shapes=tuple("x".join(map(str, tensor.shape)) for tensor in tensors),
        dtype=dtype or _own_dtype(bench_model, tensors),
        is_compiled=compiled or is_whole,
        findings=(
            *((inputs_renewed(),) if is_renewed else ()),
            *(variant_note(note) for item in transforms_of(model) for note in item.notes),
        ),
    )


def _check(model: nn.Module, dtype: str | None, device: Device) -> None:
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"there is no dtype {dtype!r}", hint=f"use one of {', '.join(DTYPES)}")
    setting = precision_of(model)
    if dtype is not None and setting is not None:
        raise UsageError(
            f"the precision of this model is set by {setting.name}, and cannot be {dtype}",
            hint="leave out --dtype",
        )
    if device.is_gpu and quantized_parts(model):
        raise TransformError(
            f"a network quantized for CPUs has no kernels on {device.name}", hint="--device cpu"
        )


def _first_call(model: nn.Module, inputs: Any, device: Device) -> bool:
    """Call the model once on copies, and say whether it changed them in place.

    Not in inference mode, so that what a lazy module makes here are ordinary parameters.
    """
    arguments, keywords = map_tensors(torch.clone, inputs)
    tensors = tensors_in((arguments, keywords))
    versions = [tensor._version for tensor in tensors]
    with explained(device), torch.no_grad():
        output = model(*arguments, **keywords)
    if isinstance(output, Iterator):
        kind = type(output).__name__
        raise MeasurementError(
            f"the model returned a {kind}, whose work is not done when the call returns",
            hint="let forward return a tensor, a tuple, a list or a dict",
        )
    return versions != [tensor._version for tensor in tensors]


@dataclass(frozen=True, slots=True)
class _Placement:
    """Brings a tensor to where the model is, in its precision and layout."""

    device: str
    dtype: torch.dtype | None
    channels_last: bool

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach().to(self.device, copy=True)
        if self.dtype is not None and tensor.is_floating_point():
            tensor = tensor.to(self.dtype)
        if self.channels_last and tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        return tensor


def _copied(model: nn.Module) -> nn.Module:
    if isinstance(model, nn.DataParallel):
        model = model.module
    try:
        with torch.no_grad():
            return copy.deepcopy(model)
    except Exception as error:  # any object inside may refuse, each in its own way
        heed_interruption(error)
        raise MeasurementError(
            f"the model cannot be copied for the measurement ({one_line(error)})",
            hint="give a factory with --model module:callable, or detach what cannot be copied",
        ) from error


def _own_dtype(model: nn.Module, inputs: Sequence[torch.Tensor]) -> str:
    for part in quantized_parts(model):
        return part.precision
    tensors = [*model.parameters(), *inputs]
    names = {torch_dtype: name for name, torch_dtype in DTYPES.items()}
    for tensor in tensors:
        if tensor.is_floating_point():
            return names.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
    return "fp32"


@contextmanager
def explained(device: Device) -> Iterator[None]:
    """Turns whatever the user's model raises inside into an error that says what to do."""
    try:
        yield
    except ProfilerError:
        raise
    # The model is the user's: it may raise anything, or end the program.
    except (Exception, SystemExit) as error:
        heed_interruption(error)
        raise explain(error, device) from error


def explain(error: BaseException, device: Device) -> ProfilerError:
    """The error of a model's call, in one sentence."""
    if is_out_of_memory(error):
        return DeviceError(
            f"{device.name} ran out of memory", hint="make the calls smaller with --batch-size"
        )
    text = one_line(error)
    shown = text if len(text) <= 300 else f"{text[:297]}..."
    return MeasurementError(
        f"the model raised {shown}",
        hint="check --input-shape and --data, or see the traceback with --debug",
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
