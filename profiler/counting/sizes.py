"""Parameters and buffers: how many and how large, each shared tensor once."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from operator import attrgetter

import torch

FROZEN = "_frozen_param"
"""How pt2e names the buffers into which it freezes quantized weights."""


def own_tensors(modules: Sequence[torch.nn.Module]) -> tuple[int, int, list[int]]:
    """(bytes of parameters, bytes of buffers, parameter elements that each module owns first)."""
    seen = {id(tensor) for module in modules for tensor in _replaced(module)}
    parameter_bytes = buffer_bytes = 0
    owned = []
    for module in modules:
        parameters = [
            *_fresh(module._parameters.values(), seen),
            *_fresh(_frozen(module), seen),
            *_packed(module),
        ]
        owned.append(sum(int(p.numel()) for p in parameters))
        parameter_bytes += sum(int(p.numel()) * p.element_size() for p in parameters)
        buffers = _fresh(module._buffers.values(), seen)
        buffer_bytes += sum(int(b.numel()) * b.element_size() for b in buffers)
    return parameter_bytes, buffer_bytes, owned


def compressed_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Size of tensors in a file that zlib has compressed: what zeros save there."""
    compressor, size = zlib.compressobj(), 0
    for tensor in tensors:
        plain = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        size += len(compressor.compress(plain.numpy().data))
    return size + len(compressor.flush())


def _fresh(tensors: Iterable[torch.Tensor | None], seen: set[int]) -> list[torch.Tensor]:
    found = []
    for tensor in tensors:
        if tensor is not None and id(tensor) not in seen:
            seen.add(id(tensor))
            found.append(tensor)
    return found


def _packed(module: torch.nn.Module) -> list[torch.Tensor]:
    """Weight and bias of an eager quantized module, which hides them in an opaque object."""
    if not type(module).__module__.startswith(("torch.ao.nn", "torch.nn.quantized")):
        return []
    found = []
    for name in ("weight", "bias"):
        getter = getattr(module, name, None)
        value = getter() if callable(getter) and not isinstance(getter, torch.Tensor) else None
        if isinstance(value, torch.Tensor):
            found.append(value)
    return found


def _frozen(module: torch.nn.Module) -> list[torch.Tensor]:
    """Quantized weights that pt2e keeps as buffers of its graph."""
    if not isinstance(module, torch.fx.GraphModule):
        return []
    return [
        tensor
        for name, tensor in module._buffers.items()
        if name.startswith(FROZEN) and tensor is not None
    ]


def _replaced(module: torch.nn.Module) -> list[torch.Tensor]:
    """Parameters that a graph of pt2e still holds, and no longer reads: these were quantized."""
    if not isinstance(module, torch.fx.GraphModule) or not _frozen(module):
        return []
    reads = {
        id(attrgetter(str(node.target))(module))
        for node in module.graph.nodes
        if node.op == "get_attr"
    }
    return [tensor for tensor in module.parameters() if id(tensor) not in reads]
