"""Control flow as operators (`torch.cond` and its kin, also in exported graphs): what they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def eager_body(func: Any, args: Any, kwargs: dict[str, Any]) -> Callable[[], Any] | None:
    """The plain Python that a higher-order operator stands for; None where it is not known.

    Which branch of a `cond` on the meta device would run cannot be known.
    """
    name = func.name() if callable(getattr(func, "name", None)) else str(func)
    if name == "cond":
        return _cond(*args)
    if name == "while_loop":
        return _while_loop(*args)
    if name == "wrap_with_set_grad_enabled":
        return _with_grad(*args)
    if name in ("wrap", "tag_activation_checkpoint", "checkpoint", "inner_call"):
        return lambda: args[0](*args[1:], **kwargs)
    return None


def _without_value(flag: Any) -> bool:
    return isinstance(flag, torch.Tensor) and flag.is_meta


def _cond(flag: Any, if_true: Any, if_false: Any, operands: Any = ()) -> Callable[[], Any] | None:
    if _without_value(flag):
        return None
    branch = if_true if bool(flag) else if_false
    return lambda: branch(*operands)


def _while_loop(go_on: Any, step: Any, carried: Any, further: Any = ()) -> Callable[[], Any] | None:
    if any(_without_value(value) for value in carried):
        return None

    def loop() -> Any:
        state = carried
        while bool(go_on(*state, *further)):
            state = tuple(step(*state, *further))
        return state

    return loop


def _with_grad(enabled: bool, body: Any, *operands: Any) -> Callable[[], Any]:
    def run() -> Any:
        with torch.set_grad_enabled(enabled):
            return body(*operands)

    return run
