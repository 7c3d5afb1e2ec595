"""count(): runs a model once under the ledger and adds up what it saw."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from profiler.errors import MeasurementError
from profiler.interruption import heed_interruption

from .attribution import Attribution
from .backward import differentiate
from .call import as_call, as_module, refuse_later_work, sentence
from .complex_convolutions import complex_convolutions
from .costs import Costs
from .costs_of_call import add_up
from .dispatch import OperatorCounter
from .preservation import plain_execution, unchanged
from .rules import RuleBook, Rules
from .tensors import copy_lazy, tensors_in
from .traffic import Weights

_DYNAMO = "torch._dynamo"


def count(
    model: torch.nn.Module,
    inputs: Any,
    *,
    backward: bool = False,
    second_opinion: bool = False,
    rules: Rules | None = None,
) -> Costs:
    """Counts MACs, parameters and bytes of one call of `model`, per module.

    The model runs once, in the mode, precision and gradient mode that it is found in, on whatever
    device it is on; on the meta device nothing is computed. Model, inputs and random state are
    afterwards as they were; a lazy module is counted on a copy. A module whose `forward` is called
    directly counts as part of its caller. Not seen is what does not go through torch's
    dispatcher: NumPy, custom kernels launched by hand, threads started by the model.

    Args:
        model: the module to call.
        inputs: a tensor, a tuple (positional), a dict (keywords), or a (tuple, dict).
        backward: whether to run and count the backward pass of all outputs as well.
        second_opinion: whether to let fvcore count the same call, on a copy.
        rules: MACs of kinds of modules by a formula of the caller's, `{MyModule: lambda module,
            args, output: macs}`, or left out, `{MyModule: None}`; the backward pass and the bytes
            are counted by the operators all the same. What was applied is in `Costs.rules`.

    Raises:
        UsageError: if what was given is no module, or a rule no rule.
        MeasurementError: if the call or a rule raises, if the call returns a generator, or
            `backward` finds nothing to differentiate.
    """
    module = as_module(model)
    was_loaded = _DYNAMO in sys.modules
    try:
        costs = _counted(module, inputs, RuleBook(rules), backward=backward)
    except MeasurementError:
        if was_loaded or _DYNAMO not in sys.modules:
            raise
    if not was_loaded and _DYNAMO in sys.modules:
        # The call has loaded torch's compiler, and ran parts of itself compiled: once more without.
        costs = _counted(module, inputs, RuleBook(rules), backward=backward)
    if not second_opinion:
        return costs
    from .second_opinion import ask_fvcore

    return replace(costs, second_opinion=ask_fvcore(module, inputs, costs))


def _counted(model: torch.nn.Module, inputs: Any, rules: RuleBook, *, backward: bool) -> Costs:
    args, kwargs = as_call(inputs)
    if any(is_lazy(tensor) for tensor in [*model.parameters(), *model.buffers()]):
        model = copy_lazy(model)
    with ExitStack() as stack:
        stack.enter_context(unchanged(model, (args, kwargs)))
        stack.enter_context(plain_execution(model))
        attribution = Attribution(model)
        weights = Weights([*_materialized(model.parameters()), *_materialized(model.buffers())])
        stack.callback(weights.put_back)
        ledger = OperatorCounter(attribution, weights)
        # The rules' hooks stand before the attribution's: a module is still running for them.
        stack.enter_context(rules.followed(ledger, lambda: attribution.backward))
        with torch.enable_grad() if backward else nullcontext():
            _run(model, args, kwargs, attribution, ledger, backward=backward)
        costs = add_up(attribution, ledger, weights, backward=backward)
        return replace(costs, rules=rules.applied)


def _materialized(tensors: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    return [tensor for tensor in tensors if not is_lazy(tensor)]


def _run(
    model: torch.nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    attribution: Attribution,
    ledger: OperatorCounter,
    *,
    backward: bool,
) -> None:
    tensors = [*_materialized(model.parameters()), *_materialized(model.buffers())]
    tensors += tensors_in((args, kwargs))
    with attribution.following(), complex_convolutions(ledger, tensors), ledger:
        try:
            outputs = model(*args, **kwargs)
            refuse_later_work(outputs)
            if backward:
                attribution.backward = True
                differentiate(model, outputs)
        except MeasurementError:
            raise
        except Exception as error:
            # Whatever a user's model raises becomes the one error that the caller can handle.
            heed_interruption(error)
            raise MeasurementError(
                f"{type(model).__name__} could not be called with these inputs: {sentence(error)}",
                hint="check the shapes and the dtype of the inputs, and the device of the model",
            ) from error
