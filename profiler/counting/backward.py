"""The backward pass of a call, run without leaving a gradient behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree

from profiler.errors import MeasurementError


def differentiate(model: torch.nn.Module, outputs: Any) -> None:
    """Runs the backward pass of all outputs, with ones as their gradients.

    Raises:
        MeasurementError: if no output depends on anything that requires a gradient.
    """
    tensors = (leaf for leaf in pytree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor))
    roots = [tensor for tensor in tensors if tensor.requires_grad]
    nodes = list(_graph(root.grad_fn for root in roots))
    leaves = [node.variable for node in nodes if hasattr(node, "variable")]
    if not leaves:
        raise MeasurementError(
            f"the outputs of {type(model).__name__} hold no tensor that requires a gradient",
            hint="count with backward=False, or let its parameters require gradients",
        )
    ones = [torch.ones_like(root) for root in roots]
    if any(node.name() == "CheckpointFunctionBackward" for node in nodes):
        # Reentrant checkpoints refuse torch.autograd.grad: they must write into .grad.
        _accumulate_and_restore(roots, ones, [*leaves, *model.parameters()])
    else:
        torch.autograd.grad(roots, leaves, ones, allow_unused=True)


def _graph(starts: Iterable[Any]) -> Iterator[Any]:
    """All nodes of an autograd graph."""
    stack = [node for node in starts if node is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        yield node
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)


def _accumulate_and_restore(
    roots: list[torch.Tensor], ones: list[torch.Tensor], leaves: list[torch.Tensor]
) -> None:
    before = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    try:
        torch.autograd.backward(roots, ones)
    finally:
        for leaf, gradient in zip(leaves, before, strict=True):
            leaf.grad = gradient
