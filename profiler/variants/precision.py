"""`fp16` and `bf16`: the whole network in 16 bits, inputs included."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from profiler.errors import TransformError
from profiler.machine.environment import cpu_flags
from profiler.values.applied_transform import AppliedTransform
from profiler.workload.prepared import DTYPES, map_tensors

from .material import Material

BITS = 16
CPU_FLAGS = {
    "fp16": frozenset({"avx512_fp16", "amx_fp16", "asimdhp"}),
    "bf16": frozenset({"avx512_bf16", "amx_bf16", "bf16"}),
}
"""What a CPU that computes in it says of itself."""


def apply(
    model: nn.Module, value: float | None, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """Cast a model in place; inputs of other precisions are cast when it is called.

    Raises:
        TransformError: a weight is too large for the precision.
    """
    dtype = DTYPES[material.name]
    largest = torch.finfo(dtype).max
    for path, parameter in model.named_parameters():
        if not parameter.is_meta and bool((parameter.detach().abs() > largest).any()):
            raise TransformError(
                f"{material.name} holds at most {largest:g}, and '{path}' of the model is larger",
                hint="use bf16, which has the range of fp32",
            )
    model.to(dtype).register_forward_pre_hook(_Cast(dtype), with_kwargs=True)
    return model, AppliedTransform(
        name=material.name,
        weight_bits=BITS,
        activation_bits=BITS,
        notes=_kernels(material),
    )


def _kernels(material: Material) -> tuple[str, ...]:
    flags = cpu_flags()
    if not material.device.startswith("cpu") or not flags or flags & CPU_FLAGS[material.name]:
        return ()
    return (
        f"this CPU has no instructions for {material.name}, which it imitates: expect it to be "
        "slower than fp32",
    )


class _Cast:
    """Brings inputs to a precision; those that have it already are not copied."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(
        self, module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        arguments, keywords = map_tensors(self._cast, (arguments, keywords))
        return arguments, keywords

    def _cast(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor
