"""How a model is called: with gradients or without, and always from the same state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from profiler.counting.call import refuse_later_work
from profiler.counting.state import Snapshot
from profiler.errors import MeasurementError
from profiler.values.findings import Finding, gradients_on

from .copies import Arguments
from .renewal import Renewal

Context = Callable[[], AbstractContextManager[Any]]
Attempt = Callable[[Context], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a call is made.

    Args:
        call: makes one call, puts back what it changed, and drops what it returns.
        renewal: puts back what calls change.
        mode: what a call is made in, its gradient mode above all.
        findings: what the reader needs to know of it.
    """

    call: Callable[[], None]
    renewal: Renewal
    mode: Context
    findings: tuple[Finding, ...]


def find_way(
    model: nn.Module,
    inputs: Arguments,
    original: nn.Module,
    around: Context,
) -> Way:
    """Try out how the model can be called, and what its calls change.

    The first call is not made in inference mode, so that what it makes are ordinary parameters.

    Args:
        model: the module.
        inputs: of the call.
        original: the module that `model` was copied from.
        around: what every call is made in: errors are explained, a shared model is set to eval.

    Raises:
        MeasurementError: it raises in every mode, or returned a generator.
    """
    arguments, keywords = inputs

    def attempt(mode: Context) -> None:
        with around(), mode():
            outputs = model(*arguments, **keywords)
            refuse_later_work(outputs)

    _give_shapes(model, inputs, attempt)
    renewal = Renewal(model, inputs, original)
    try:
        first = _first_mode(attempt, renewal)
        mode = _later_mode(attempt, first, renewal)
        renewal()
    except BaseException:
        renewal.put_back_wholly()  # closures and classes are shared with the original
        raise
    is_on = mode is torch.enable_grad

    @contextmanager
    def entered() -> Iterator[None]:
        with around(), mode():
            yield

    def call() -> None:
        with entered():
            try:
                model(*arguments, **keywords)
            finally:
                renewal()

    return Way(
        call=call,
        renewal=renewal,
        mode=entered,
        findings=(*((gradients_on(),) if is_on else ()), *renewal.findings),
    )


def _give_shapes(model: nn.Module, inputs: Arguments, attempt: Attempt) -> None:
    """Let lazy modules take their shapes, which cannot be put back."""
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        before = Snapshot(("inputs", inputs))
        attempt(torch.no_grad)
        before.put_back()


def _first_mode(attempt: Attempt, renewal: Renewal) -> Context:
    """Make a first call, with gradients where it raises without."""
    try:
        attempt(torch.no_grad)
    except MeasurementError as error:
        cause = error.__cause__
        if not isinstance(cause, RuntimeError) or "grad" not in str(cause):
            raise
        renewal.put_back_wholly()
        attempt(torch.enable_grad)
        return torch.enable_grad
    return torch.no_grad


def _later_mode(attempt: Attempt, first: Context, renewal: Renewal) -> Context:
    """Learn what calls change; in inference mode, if it will do: models are deployed in it."""
    if first is torch.no_grad:
        try:
            renewal.learn(partial(attempt, torch.inference_mode))
        except MeasurementError:
            renewal.put_back_wholly()
            attempt(first)
        else:
            return torch.inference_mode
    try:
        renewal.learn(partial(attempt, first))
    except MeasurementError:
        renewal.renew_wholly()  # perhaps it can be called once, from the state it was given in
        renewal()
        attempt(first)
    return first
