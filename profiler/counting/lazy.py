"""Lazy modules: copied before they are counted, since their first call changes them for good."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch.nn.parameter import is_lazy


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
