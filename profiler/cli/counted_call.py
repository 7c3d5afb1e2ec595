"""One counted call for `stats`: on the meta device, or on the CPU where meta refuses."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from profiler.errors import MeasurementError

from .call_inputs import batch_size_of, load_call, shapes_text

if TYPE_CHECKING:
    from profiler.counting import Costs
    from profiler.workload.target import Target

META, CPU = "meta", "cpu"
USUAL_SHAPE = (3, 32, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedCall:
    """What was counted, and how.

    Args:
        costs: the counts.
        batch_size: items in the call.
        input_shapes: shapes and types of its tensors, as text.
        device: "meta" or "cpu".
        refusal: why the meta device could not be used; None where it could, or was not asked.
    """

    costs: Costs
    batch_size: int
    input_shapes: str
    device: str
    refusal: str | None


def count_target(
    target: Target, arguments: argparse.Namespace, *, on_cpu: bool = False
) -> CountedCall:
    """Count one call of a model on the inputs that the flags describe.

    Args:
        target: the model.
        arguments: of `stats`.
        on_cpu: whether its weights are needed, so that it cannot be counted without values.

    Raises:
        MeasurementError: the model cannot be called with these inputs.
    """
    from profiler.counting.call import set_to_evaluate

    batch_size = batch_size_of(arguments)
    if not (arguments.input_shape or target.input_shape or _has_own_inputs(arguments, target)):
        target = replace(target, input_shape=USUAL_SHAPE)
    model = set_to_evaluate(target.model)
    inputs = _inputs(arguments, target, batch_size)
    refusal = None
    costs = None
    wants_meta = arguments.device == META and not on_cpu
    if wants_meta:
        try:
            costs = _on_meta(model, inputs)
        except MeasurementError as error:
            refusal = error.message.partition(". ")[0]  # its advice is for torch's developers
    if costs is None:
        costs = _on_cpu(model, arguments, target, batch_size)
    if arguments.second_opinion:
        costs = _with_second_opinion(costs, target, arguments, batch_size)
    return CountedCall(
        costs=costs,
        batch_size=batch_size,
        input_shapes=shapes_text(inputs),
        device=META if wants_meta and refusal is None else CPU,
        refusal=refusal,
    )


def _has_own_inputs(arguments: argparse.Namespace, target: Target) -> bool:
    """Whether something else than images is known to be what the model takes."""
    return bool(target.input_specs) or arguments.cache_length is not None


def _inputs(arguments: argparse.Namespace, target: Target, batch_size: int) -> Any:
    """Those of the call; images without memory, however many."""
    import torch

    shape = arguments.input_shape or target.input_shape
    if arguments.input or arguments.cache_length is not None or shape is None:
        return load_call(arguments, target, batch_size).inputs
    return torch.empty((batch_size, *shape), device=META)


def _on_meta(model: Any, inputs: Any) -> Costs:
    from profiler.counting import count_on_meta

    return count_on_meta(model, inputs)


def _on_cpu(model: Any, arguments: argparse.Namespace, target: Target, batch_size: int) -> Costs:
    import torch

    from profiler.counting import count

    inputs = load_call(arguments, target, batch_size).inputs
    try:
        with torch.no_grad():
            return count(model, inputs)
    except MeasurementError as error:
        raise MeasurementError(
            error.message, hint="say what the model takes with --input-shape or --input"
        ) from error


def _with_second_opinion(
    costs: Costs, target: Target, arguments: argparse.Namespace, batch_size: int
) -> Costs:
    import torch

    from profiler.counting.second_opinion import ask_fvcore

    shape = arguments.input_shape or target.input_shape
    if arguments.input or arguments.cache_length is not None or shape is None:
        inputs = load_call(arguments, target, batch_size).inputs
    else:
        inputs = torch.zeros(()).expand((batch_size, *shape))  # takes no memory, however large
    return replace(costs, second_opinion=ask_fvcore(target.model, inputs, costs))
