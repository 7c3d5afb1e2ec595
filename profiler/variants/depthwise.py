"""`depthwise`: dense convolutions as one kernel a channel and a 1x1 convolution across them."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from profiler.values.applied_transform import AppliedTransform

from .convolutions import Replacement, factorize
from .material import Material


def apply(
    model: nn.Module, value: float | None, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """Separate the convolutions of a model, in place.

    Raises:
        TransformError: there is nothing to separate.
    """
    return model, factorize(model, material, lambda path, conv: _separable(conv))


def _separable(conv: nn.Conv2d) -> Replacement:
    depthwise = nn.Conv2d(
        conv.in_channels, conv.in_channels, conv.kernel_size, conv.stride, conv.padding,  # type: ignore[arg-type]
        conv.dilation, conv.in_channels, False, conv.padding_mode,  # type: ignore[arg-type]
    )  # fmt: skip
    pointwise = nn.Conv2d(conv.in_channels, conv.out_channels, 1, bias=conv.bias is not None)

    def start(dense: Tensor) -> float:
        """The nearest separable weights: for each input channel the best matrix of rank one."""
        kernels = dense.permute(1, 0, 2, 3).flatten(2).float()  # in x out x places
        left, values, right = torch.linalg.svd(kernels, full_matrices=False)
        scale = values[:, 0].sqrt()[:, None]
        pointwise.weight.copy_((left[:, :, 0] * scale).T[:, :, None, None])
        depthwise.weight.copy_((right[:, 0] * scale).view_as(depthwise.weight))
        if conv.bias is not None and pointwise.bias is not None:
            pointwise.bias.copy_(conv.bias)
        return float(values[:, 0].square().sum() / values.square().sum().clamp_min(1e-30))

    pair = nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))
    return Replacement(module=pair, start=start)
