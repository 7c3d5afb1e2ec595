"""What was done to a model before it came here, kept on the model itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import nn

from profiler.values.applied_transform import AppliedTransform

_KEPT_AS = "_wattprof_transforms"
_LEFT_AS = "_wattprof_left_to_runtime"
_SOURCE_AS = "_wattprof_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftToRuntime:
    """A precision that a run-time is to give a model: the model itself is still in fp32.

    Args:
        runtime: by its name in the table of run-times.
        precision: "int8", "bf16" or "fp16".
        batches: positional and keyword arguments of calls to calibrate on; () where none are
            needed.
    """

    runtime: str
    precision: str
    batches: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copies of a model share what nobody changes."""
        return self


class _Shared:
    """Holds a module so that it is no part of the one that it is kept on, nor copied with it."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


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


def leave_to_runtime(model: nn.Module, left: LeftToRuntime) -> None:
    """Note what a run-time is to do."""
    setattr(model, _LEFT_AS, left)


def left_to_runtime(model: nn.Module) -> LeftToRuntime | None:
    """What a run-time is to do to the model; None where the model is what it is to be."""
    left: LeftToRuntime | None = vars(model).get(_LEFT_AS)
    return left


def keep_source(model: nn.Module, source: nn.Module) -> None:
    """Note the network that a quantized one was made of; both share what memory they can."""
    setattr(model, _SOURCE_AS, _Shared(source))


def source_of(model: nn.Module) -> nn.Module:
    """The network that a quantized one was made of; the model itself where it was not."""
    shared = vars(model).get(_SOURCE_AS)
    return model if shared is None else shared.module
