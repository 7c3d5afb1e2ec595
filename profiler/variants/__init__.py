"""Variants of a model: what is done to it so that it becomes smaller, cheaper or faster.

A variant is named by one text, the base model's reference and its transforms in order:
`resnet18+groups=8+int8`. Importing this package imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .reference import Member, TransformCall, VariantReference, members_of, parse
from .table import TRANSFORMS, Transform, check, usage_of

if TYPE_CHECKING:
    from .apply import transform
    from .assembly import GivenWeights, build, weights_of

_HOMES = {
    "transform": "apply",
    "GivenWeights": "assembly",
    "build": "assembly",
    "weights_of": "assembly",
}

__all__ = [
    "TRANSFORMS",
    "GivenWeights",
    "Member",
    "Transform",
    "TransformCall",
    "VariantReference",
    "build",
    "check",
    "members_of",
    "parse",
    "transform",
    "usage_of",
    "weights_of",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value
