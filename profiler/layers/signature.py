"""When two calls of two modules are the same work: type, configuration, shapes, dtypes, strides."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import nn

CallKey = tuple[Hashable, ...]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)
# What torch itself keeps in every module's __dict__, and what differs without changing the work.
_BOOKKEEPING = frozenset(vars(nn.Module())) | {"_call_impl", "_compiled_call_impl"}


def call_key(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[CallKey, tuple[str, ...]]:
    """The key of one call, and the type names of arguments whose state it cannot describe."""
    opaque: list[str] = []
    inputs = _describe((args, kwargs), opaque)
    return (_configuration(module), inputs), tuple(dict.fromkeys(opaque))


def _configuration(module: nn.Module) -> Hashable:
    """Everything that decides what a module does, its children's configurations included."""
    kind = type(module)
    plain = tuple(
        (name, _describe(value, None))
        for name, value in sorted(vars(module).items())
        if name not in _BOOKKEEPING
    )
    tensors = tuple(
        (name, _shape(tensor))
        for name, tensor in (*module._parameters.items(), *module._buffers.items())
    )
    children = tuple((name, _configuration(child)) for name, child in module.named_children())
    return (f"{kind.__module__}.{kind.__qualname__}", module.training, plain, tensors, children)


def _describe(value: Any, opaque: list[str] | None) -> Hashable:
    """A hashable description; an object of an unknown kind is equal to itself only."""
    if isinstance(value, torch.Tensor):
        return _shape(value)
    if isinstance(value, _PLAIN):
        return (type(value).__name__, value)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *(_describe(item, opaque) for item in value))
    if isinstance(value, dict):
        return tuple((str(key), _describe(item, opaque)) for key, item in value.items())
    if callable(value) and hasattr(value, "__qualname__"):
        return (getattr(value, "__module__", ""), value.__qualname__, id(value))
    if opaque is not None:
        opaque.append(type(value).__name__)
    return (type(value).__name__, id(value))


def sizes_of(tensor: torch.Tensor) -> tuple[Hashable, ...]:
    """The sizes of a tensor; of a nested one the sizes of its parts."""
    if tensor.is_nested:
        return tuple(tuple(part.shape) for part in tensor.unbind())
    return tuple(tensor.shape)


def _shape(tensor: torch.Tensor | None) -> Hashable:
    if tensor is None:
        return None
    has_strides = tensor.layout is torch.strided and not tensor.is_nested
    strides = tuple(tensor.stride()) if has_strides else None
    return (sizes_of(tensor), strides, tensor.dtype, str(tensor.device))
