"""`sparsify=R`: the smallest weights of the whole network set to zero (global L1 magnitude).

Nothing becomes faster: kernels multiply zeros like any number. What shrinks is the file, once it is
compressed, and the effective MACs, which hardware made for it could save.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from profiler.errors import TransformError
from profiler.values.applied_transform import AppliedTransform

from .material import Material

WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear, nn.MultiheadAttention)


def apply(
    model: nn.Module, value: float | None, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """Set weights of convolutions, linear and attention layers to zero, in place.

    Where the model is to be trained, zeros stay zero: their gradient is.

    Raises:
        TransformError: the model has no such layers.
    """
    assert value is not None
    weights = _weights(model)
    if not weights:
        raise TransformError(
            f"{material.name} finds no convolution, linear or attention layer in "
            f"{type(model).__name__}",
            hint="leave it out for this model",
        )
    with torch.no_grad():
        magnitudes = torch.cat([weight.detach().abs().flatten().float() for weight in weights])
        zero_count = round(value * magnitudes.numel())
        magnitudes[magnitudes.topk(zero_count, largest=False).indices] = -1
        parts = magnitudes.split([weight.numel() for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.masked_fill_((part < 0).view(weight.shape), 0)
    if material.for_training:
        for weight in filter(lambda weight: weight.requires_grad, weights):
            weight.register_hook(_Kept(weight))
    return model, AppliedTransform(
        name=material.name,
        p_u=share_of_zeros(model),
        notes=(
            f"no kernel here skips the zeros of {material.name}: latency and joules are those of "
            "the dense network, which `compare` with a run of it shows",
        ),
    )


def share_of_zeros(model: nn.Module) -> float:
    """Share of all parameters that are exactly zero."""
    parameters = list(model.parameters())
    zeros = sum(parameter.numel() - int(parameter.count_nonzero()) for parameter in parameters)
    return zeros / max(1, sum(parameter.numel() for parameter in parameters))


class _Kept:
    """Gradient of a weight with holes: none where it is zero.

    The holes are read off the weight each time, so that they are those of a checkpoint that was
    loaded into it. Momentum and weight decay of a zero with no gradient are zero, too.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def __call__(self, gradient: Tensor) -> Tensor:
        return gradient * (self.weight != 0)


def _weights(model: nn.Module) -> list[nn.Parameter]:
    """Matrices and kernels, each once."""
    found: dict[int, nn.Parameter] = {}
    for module in model.modules():
        if isinstance(module, WEIGHTED):
            for parameter in module.parameters(recurse=False):
                if parameter.ndim >= 2:
                    found[id(parameter)] = parameter
    return list(found.values())
