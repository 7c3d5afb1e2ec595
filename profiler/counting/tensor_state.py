"""What a tensor is at one moment: memory, values, gradient, and whether it asks for one."""

from __future__ import annotations

from typing import Any

import torch

from .tensors import has_values, storage_key


class TensorState:
    """A tensor as it was when this was made.

    Args:
        tensor: to be described.
        with_values: whether to copy its values too. All parameters together may not fit twice.
    """

    __slots__ = ("_alias", "_gradient", "_layout", "_needs_gradient", "_values")

    def __init__(self, tensor: torch.Tensor, *, with_values: bool = True) -> None:
        self._alias = tensor.detach()
        self._layout = _layout(tensor)
        self._needs_gradient = tensor.requires_grad
        self._gradient = tensor.grad if tensor.is_leaf else None
        self._values = self._alias.clone() if with_values and _is_dense(tensor) else None

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether nothing has changed since."""
        return (
            self._is_in_place(tensor)
            and (not tensor.is_leaf or tensor.grad is self._gradient)
            and (self._values is None or same_values(self._alias, self._values))
        )

    def _is_in_place(self, tensor: torch.Tensor) -> bool:
        return _layout(tensor) == self._layout and tensor.requires_grad == self._needs_gradient

    def give_back(self, tensor: torch.Tensor) -> None:
        """Make the tensor what it was."""
        with torch.no_grad():
            if _layout(tensor) != self._layout:
                tensor.data = self._alias
            if tensor.requires_grad != self._needs_gradient:
                # What an in-place product made part of a graph is cut out of it again.
                if not tensor.is_leaf and not tensor._is_view():
                    tensor.detach_()
                if tensor.is_leaf:
                    tensor.requires_grad_(self._needs_gradient)
            if tensor.is_leaf and tensor.grad is not self._gradient:
                tensor.grad = self._gradient
            if self._values is not None:
                with torch.inference_mode(self._alias.is_inference()):
                    self._alias.copy_(self._values)


def same_values(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same, NaN at the same places included."""
    if one.shape != other.shape or one.dtype != other.dtype or one.device != other.device:
        return False
    if not (has_values(one) and has_values(other)):
        return True
    if torch.equal(one, other):
        return True
    if not one.is_floating_point():
        return False
    holes = one.isnan()
    return torch.equal(holes, other.isnan()) and torch.equal(one[~holes], other[~holes])


def _is_dense(tensor: torch.Tensor) -> bool:
    return has_values(tensor) and tensor.layout is torch.strided and not tensor.is_nested


def _layout(tensor: torch.Tensor) -> tuple[Any, ...]:
    if tensor.layout is not torch.strided or tensor.is_nested:
        return (storage_key(tensor), tensor.layout)
    return (
        storage_key(tensor),
        tensor.shape,
        tensor.stride(),
        tensor.storage_offset(),
        tensor.dtype,
    )
