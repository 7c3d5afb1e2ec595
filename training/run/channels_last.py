"""Channels last, forwards and backwards."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


def keep_channels_last(model: nn.Module) -> nn.Module:
    """Lay out a model channels last, and keep its gradients so.

    The gradient of a global pool comes out channels first, whatever went in. Everything before the
    pool then mixes two layouts: on a CPU the ReLU's and the normalisation's backward pass of the
    layer in front take 8 and 14 ms instead of 0.3 and 1 (AMD EPYC, one thread, 256x128x7x7 bf16).
    One copy mends it, and makes a whole step of the lightweight model 5 % shorter.
    """
    for module in model.modules():
        if isinstance(module, POOLS):
            module.register_forward_pre_hook(_lay_out_gradient)
    return model.to(memory_format=torch.channels_last)


def _lay_out_gradient(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    first = inputs[0]
    if isinstance(first, Tensor) and first.requires_grad and first.ndim == 4:
        first.register_hook(_channels_last)


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)
