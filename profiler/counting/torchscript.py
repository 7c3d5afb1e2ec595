"""Operators inside TorchScript graphs that never reach the dispatcher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch

_OPAQUE = ("prim::mkldnn_", "prim::CudaFusionGroup", "prim::TensorExprGroup", "tensorrt::")


def opaque_ops(module: torch.nn.Module) -> Counter[str]:
    """Operators of a scripted module that no dispatch mode sees, and how often they occur."""
    if not isinstance(module, torch.jit.ScriptModule):
        return Counter()
    try:
        graph = module.inlined_graph
    except (AttributeError, RuntimeError):  # a scripted module without a forward has no graph
        return Counter()
    kinds = (node.kind() for node in _nodes(graph))
    return Counter(kind.replace("::", ".") for kind in kinds if kind.startswith(_OPAQUE))


def _nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)
