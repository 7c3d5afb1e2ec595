"""`groups=G`: dense convolutions in G groups, each of which sees its own part of the channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from profiler.errors import TransformError
from profiler.values.applied_transform import AppliedTransform

from .convolutions import Replacement, factorize
from .material import Material


def apply(
    model: nn.Module, value: float | None, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """Group the convolutions of a model, in place.

    Raises:
        TransformError: there is nothing to group, or a layer's channels are not divisible.
    """
    assert value is not None
    count = int(value)
    applied = factorize(model, material, lambda path, conv: _grouped(path, conv, count))
    return model, applied


def _grouped(path: str, conv: nn.Conv2d, count: int) -> Replacement:
    if conv.in_channels % count or conv.out_channels % count:
        raise TransformError(
            f"groups={count} does not divide the {conv.in_channels} -> {conv.out_channels} "
            f"channels of layer '{path}'",
            hint=_divisor_hint(conv, count),
        )
    grouped = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride,  # type: ignore[arg-type]
        conv.padding, conv.dilation, count, conv.bias is not None, conv.padding_mode,  # type: ignore[arg-type]
    )  # fmt: skip

    def start(dense: Tensor) -> float:
        """The blocks on the diagonal: what is left of the dense weights when groups are cut."""
        blocks = [
            rows.chunk(count, dim=1)[group] for group, rows in enumerate(dense.chunk(count, dim=0))
        ]
        grouped.weight.copy_(torch.cat(blocks))
        if conv.bias is not None and grouped.bias is not None:
            grouped.bias.copy_(conv.bias)
        return float(grouped.weight.square().sum() / dense.square().sum().clamp_min(1e-30))

    return Replacement(module=grouped, start=start)


def _divisor_hint(conv: nn.Conv2d, count: int) -> str:
    smaller = [
        divisor
        for divisor in range(count - 1, 1, -1)
        if not conv.in_channels % divisor and not conv.out_channels % divisor
    ]
    return f"groups={smaller[0]}" if smaller else "+depthwise has no such condition"
