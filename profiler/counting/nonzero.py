"""Effective MACs: those whose weight is not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .tensors import has_values

if TYPE_CHECKING:
    from .traffic import TrafficTally, Weights


def effective_macs(tallies: dict[int, TrafficTally], weights: Weights) -> dict[int, int] | None:
    """Effective MACs by module; None where a weight has no values to look at.

    In a convolution or a matrix product every element of the weight takes part equally often, so
    the share of elements that are not zero is the share of MACs. Products of two activations
    have no weight and stay whole.
    """
    shares: dict[tuple[Any, ...], tuple[int, int] | None] = {}
    effective: dict[int, int] = {}
    for position, tally in tallies.items():
        total = 0
        for keys, mac_count in tally.weighted.items():
            kept, size = 0, 0
            for key in keys:
                if key not in shares:
                    shares[key] = _share(weights.seen[key])
                share = shares[key]
                if share is None:
                    return None
                kept += share[0]
                size += share[1]
            total += mac_count * kept // size if size else mac_count
        effective[position] = total
    return effective


def _share(weight: Any) -> tuple[int, int] | None:
    """(elements that are not zero, elements)."""
    tensor = weight if isinstance(weight, torch.Tensor) else weight.unpack()[0]
    if not has_values(tensor):
        return None
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    return int(torch.count_nonzero(tensor.detach())), int(tensor.numel())
