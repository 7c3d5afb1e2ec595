"""What was done to a model before it came here, kept on the model itself."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from profiler.values.applied_transform import AppliedTransform

_KEPT_AS = "_wattprof_transforms"


def transforms_of(model: nn.Module) -> tuple[AppliedTransform, ...]:
    """The transforms that were applied to a model, in their order; copies of it have them too."""
    applied: tuple[AppliedTransform, ...] = vars(model).get(_KEPT_AS, ())
    return applied


def keep_transforms(model: nn.Module, applied: Sequence[AppliedTransform]) -> None:
    """Note what was done to a model."""
    setattr(model, _KEPT_AS, tuple(applied))


def precision_of(model: nn.Module) -> AppliedTransform | None:
    """The transform that set the precision of a model; None where it may still be chosen."""
    setting = [item for item in transforms_of(model) if item.weight_bits is not None]
    return setting[-1] if setting else None
