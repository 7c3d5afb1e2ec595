"""From what a reference leads to, to the network: a class, a function, or the model itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from profiler.errors import TargetError

from .user_code import call

if TYPE_CHECKING:
    from torch import nn

FORMS = (
    "name the model as package.module:callable, path/file.py:callable, torchvision:NAME, "
    "timm:NAME or hf:FOLDER-OR-NAME"
)


def build_model(
    found: object, reference: str, num_classes: int | None, **arguments: Any
) -> nn.Module:
    """Call what was found, unless it is the model itself."""
    from torch import nn

    if not isinstance(found, nn.Module):
        if not callable(found):
            kind = type(found).__name__
            raise TargetError(
                f"'{reference}' is of type {kind}, neither a model nor a function", hint=FORMS
            )
        if num_classes is not None:
            arguments["num_classes"] = _accepted(found, reference, num_classes)
        found = call(found, reference, arguments, deed="building")
    elif num_classes is not None:
        raise TargetError(
            f"'{reference}' is a finished model: it cannot be given {num_classes} classes"
        )
    if not isinstance(found, nn.Module):
        kind = type(found).__name__
        raise TargetError(
            f"'{reference}' returned type {kind}, not a torch.nn.Module",
            hint="name a class or a function that returns the model",
        )
    return found


def _accepted(found: Callable[..., object], reference: str, num_classes: int) -> int:
    """`num_classes`, if the callable takes it."""
    if num_classes < 1:
        raise TargetError(f"a classifier has at least one class, not {num_classes}")
    if not takes_classes(found):
        raise TargetError(f"'{reference}' takes no num_classes, so {num_classes} cannot be set")
    return num_classes


def takes_classes(found: Callable[..., object], *, is_told: bool = True) -> bool:
    """Whether `num_classes` is handed to it; to a finished model for a refusal, where told."""
    from torch import nn

    if isinstance(found, nn.Module):
        return is_told
    parameters = inspect.signature(found).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return takes_any or "num_classes" in parameters
