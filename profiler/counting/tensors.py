"""What can be asked of any tensor, whatever it is made of."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.parameter import is_lazy


def has_values(tensor: torch.Tensor) -> bool:
    """Whether there is anything to look at: not on meta, not fake, not without a shape."""
    fake = type(tensor).__module__.startswith("torch._subclasses")
    return not (fake or is_lazy(tensor) or tensor.is_meta)


def byte_count(tensor: torch.Tensor) -> int:
    """Bytes of the elements of a tensor; an expanded one has no more than its storage holds."""
    size = int(tensor.numel()) * tensor.element_size()
    if tensor.is_nested:
        return size
    if tensor.layout is torch.strided and not tensor.is_contiguous():
        try:
            return min(size, tensor.untyped_storage().nbytes())
        except (NotImplementedError, RuntimeError):  # subclasses without a storage
            return size
    return size


def storage_key(tensor: torch.Tensor) -> int | None:
    """Identity of the memory behind a tensor, which its views share; works on meta."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # sparse and wrapped tensors have none
        return None


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Tensors among the arguments or results of an operator, one level of lists deep or more."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)


def copy_lazy(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of a model of which some tensors have no shape yet."""
    memo: dict[int, Any] = {}
    for tensor in [*model.parameters(), *model.buffers()]:
        if is_lazy(tensor):
            memo[id(tensor)] = unshaped(tensor)
    return copy.deepcopy(model, memo)


def unshaped(tensor: Any, device: torch.device | None = None) -> Any:
    """Another tensor without a shape, of the same kind; torch cannot copy these itself."""
    twin = type(tensor)(
        requires_grad=tensor.requires_grad, device=device or tensor.device, dtype=tensor.dtype
    )
    return twin
