"""Which convolutions of a network can be factorized, and putting others in their place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from profiler.errors import TransformError
from profiler.values.applied_transform import AppliedTransform, LeftAlone

from .material import Material, parent_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What stands in a convolution's place.

    Args:
        module: with fresh weights.
        kept_share: of the squares of the dense weights, that which the new weights keep once
            `start` has run.
        start: sets the weights to those nearest to the dense ones, and returns the kept share.
    """

    module: nn.Module
    start: Callable[[Tensor], float]


def factorize(
    model: nn.Module, material: Material, replace: Callable[[str, nn.Conv2d], Replacement]
) -> AppliedTransform:
    """Replace every dense convolution with a kernel above 1x1, but the stem.

    The first convolution sees the image, whose three channels have nothing to be split into; 1x1
    convolutions have no kernel to be separated from.

    Args:
        model: changed in place.
        material: whether the new weights begin from the dense ones, or fresh.
        replace: what to put in the place of one convolution, by its path.

    Raises:
        TransformError: there is nothing to replace, or `replace` refuses.
    """
    chosen, left_alone = _choose(model)
    if not chosen:
        reasons = "; ".join(f"'{item.layer}' {item.reason}" for item in left_alone[:2])
        raise TransformError(
            f"{material.name} finds no dense convolution to factorize"
            + (f": {reasons}" if reasons else ": the model has no Conv2d"),
            hint="leave it out for this model",
        )
    replacements = {path: replace(path, conv) for path, conv in chosen.items()}
    kept = []
    for path, conv in chosen.items():
        new = replacements[path]
        if material.is_trained:
            with torch.no_grad():
                kept.append(new.start(conv.weight.detach()))
        new.module.to(device=conv.weight.device, dtype=conv.weight.dtype).train(conv.training)
        holder, name = parent_of(model, path)
        setattr(holder, name, new.module)
    return AppliedTransform(
        name=material.name, left_alone=tuple(left_alone), notes=_notes(material, kept)
    )


def _notes(material: Material, kept: list[float]) -> tuple[str, ...]:
    if not kept:
        return ()
    share = sum(kept) / len(kept)
    return (
        f"{material.name} began from the dense weights, of whose squares it keeps {share:.0%}: "
        "fine-tune it before its answers are used",
    )


def _choose(model: nn.Module) -> tuple[dict[str, nn.Conv2d], list[LeftAlone]]:
    """Convolutions to be replaced by path, and those left though their kernel is above 1x1."""
    chosen: dict[str, nn.Conv2d] = {}
    left_alone = []
    convolutions = {
        path: module for path, module in model.named_modules() if isinstance(module, nn.Conv2d)
    }
    for place, (path, conv) in enumerate(convolutions.items()):
        if max(conv.kernel_size) == 1:
            continue
        reason = _reason_to_leave(conv, is_first=place == 0)
        if reason is None:
            chosen[path] = conv
        else:
            left_alone.append(LeftAlone(layer=path, reason=reason))
    return chosen, left_alone


def _reason_to_leave(conv: nn.Conv2d, *, is_first: bool) -> str | None:
    if is_first:
        return "is the stem, which sees the image"
    if conv.groups > 1:
        return "is grouped already"
    if type(conv) is not nn.Conv2d or is_parametrized(conv):
        return f"is no plain Conv2d but a {type(conv).__name__} whose weight has rules of its own"
    return None
