"""Control flow as operators (`torch.cond` and its kin, also in exported graphs): what they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    if name == "scan":
        return _scan(*args)
    if name == "map_impl":
        return _map(*args)
    if name == "wrap_with_set_grad_enabled":
        return _with_grad(*args)
    if name == "wrap_with_autocast":
        return _with_autocast(*args)
    if name == "invoke_subgraph":
        return lambda: args[0](*args[2:], **kwargs)
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


def _scan(
    step: Any, first: Sequence[Any], rows: Sequence[Any], further: Sequence[Any] = ()
) -> Callable[[], Any]:
    """The state goes from row to row; what else a step gives is stacked."""

    def loop() -> Any:
        state, given = tuple(first), []
        for position in range(rows[0].shape[0]):
            out = step(*state, *(row[position] for row in rows), *further)
            state = tuple(out[: len(state)])
            given.append(out[len(state) :])
        return (*state, *map(_stacked, zip(*given, strict=True)))

    return loop


def _map(body: Any, rows: Sequence[Any], further: Sequence[Any] = ()) -> Callable[[], Any]:
    def loop() -> Any:
        count = rows[0].shape[0]
        given = [body(*(row[position] for row in rows), *further) for position in range(count)]
        if isinstance(given[0], torch.Tensor):
            return torch.stack(given)
        return tuple(map(_stacked, zip(*given, strict=True)))

    return loop


def _stacked(values: Sequence[Any]) -> Any:
    return torch.stack(list(values)) if isinstance(values[0], torch.Tensor) else values[0]


def _with_autocast(
    device: str, dtype: Any, enabled: bool, cached: Any, body: Any, *operands: Any
) -> Callable[[], Any]:
    def run() -> Any:
        with torch.autocast(device, dtype, enabled, cached):
            return body(*operands)

    return run
