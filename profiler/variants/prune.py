"""`prune=R`: channels physically removed from every layer (torch-pruning).

Channels that only make sense together (those of a residual sum, of a depthwise convolution and what
feeds it) are found by its dependency graph, and go together, those of the smallest weights first
(group magnitude, Fang et al., arXiv 2301.12900). Every layer loses the same share, so that the
shapes follow from the reference alone; widths are rounded to multiples of 8, which kernels like.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from profiler.errors import TransformError
from profiler.interruption import heed_interruption
from profiler.values.applied_transform import AppliedTransform, LeftAlone
from profiler.values.plain_text import one_line
from profiler.workload.prepared import tensors_in

from .material import Inputs, Material, counts_before, run

ROUND_TO = 8
MOST_TRIES = 4
WIDE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


def apply(
    model: nn.Module, value: float | None, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """A copy of the model without the removed channels.

    A layer whose width the model's own code states (a reshape to a number) is left as it is.

    Raises:
        TransformError: torch-pruning is not installed or cannot follow the model, the rounding
            leaves every channel, or the pruned model does not run.
    """
    assert value is not None
    pruning = material.needs("torch_pruning")
    example = material.example(1)
    parameters_before, macs_before = counts_before(model, material)
    widths = _widths(model)
    kept: dict[str, str] = {}
    for _ in range(MOST_TRIES):
        pruned = copy.deepcopy(model)
        heads = _prune(pruning, pruned, example, value, material, kept)
        broken = _width_in_code(pruned, example, model, material)
        if broken is None:
            break
        kept[broken] = "has a width that the model's code relies on"
    else:
        raise TransformError(
            f"{material.name} cannot prune layer '{broken}': the model's code relies on its width, "
            "and on those of layers before it",
            hint="write shapes in forward() as x.flatten(1) or by x.shape, not as numbers",
        )
    slim = _widths(pruned)
    removed = 1 - sum(slim[path] for path in slim if path not in heads) / max(
        1, sum(widths[path] for path in widths if path not in heads)
    )
    if removed == 0:
        raise TransformError(
            f"{material.name} removes nothing: widths are multiples of {ROUND_TO}, and no layer "
            f"has {ROUND_TO} channels to lose (layer '{next(iter(widths))}' has "
            f"{next(iter(widths.values()))})",
            hint="prune a larger share, or a wider model",
        )
    reasons = {**dict.fromkeys(heads, "gives the answer"), **kept}
    return pruned, AppliedTransform(
        name=material.name,
        p_s=removed,
        parameter_count_before=parameters_before,
        mac_count_before=macs_before,
        left_alone=tuple(LeftAlone(layer=path, reason=why) for path, why in reasons.items()),
        notes=(f"{removed:.1%} of the channels are gone: fine-tune before its answers are used",),
    )


def _widths(model: nn.Module) -> dict[str, int]:
    """Output channels of every layer that has them."""
    return {
        path: module.out_features if isinstance(module, nn.Linear) else module.out_channels
        for path, module in model.named_modules()
        if isinstance(module, WIDE)
    }


def _prune(
    pruning: Any,
    model: nn.Module,
    example: Inputs,
    share: float,
    material: Material,
    kept: Mapping[str, str],
) -> list[str]:
    """Prune in place; the paths of the layers that give the answer, which are kept."""
    was_training = model.training
    with torch.no_grad():
        answers = tensors_in(run(model.eval(), example, material.name))
    heads = _heads(model, answers)
    ignored = [model.get_submodule(path) for path in (*heads, *kept)]
    arguments, keywords = example
    try:
        with warnings.catch_warnings(), _differentiable(model), torch.enable_grad():
            warnings.simplefilter("ignore")
            pruner = pruning.pruner.BasePruner(
                model,
                arguments[0] if len(arguments) == 1 and not keywords else arguments,
                importance=pruning.importance.GroupMagnitudeImportance(p=2),
                pruning_ratio=share,
                ignored_layers=ignored,
                round_to=ROUND_TO,
                forward_fn=(lambda module, _: module(*arguments, **keywords)),
                num_heads={
                    module: module.num_heads
                    for module in model.modules()
                    if isinstance(module, nn.MultiheadAttention)
                },
            )
            pruner.step()
    # The graph is drawn from the user's model, and may meet anything there.
    except Exception as error:
        heed_interruption(error)
        raise TransformError(
            f"{material.name} cannot follow {_doubtful(model)}: torch-pruning raised "
            f"{one_line(error)[:200]}",
            hint="leave prune out for this model, or use sparsify",
        ) from error
    model.train(was_training)
    return heads


def _heads(model: nn.Module, answers: list[torch.Tensor]) -> list[str]:
    """Layers as wide as an answer of the model, by its last axis or its channels."""
    wanted = {tensor.shape[-1] for tensor in answers if tensor.ndim} | {
        tensor.shape[1] for tensor in answers if tensor.ndim > 2
    }
    widths = _widths(model)
    last = next(reversed(widths), None)
    found = [path for path, width in widths.items() if width in wanted and path == last]
    linear = [
        path
        for path, width in widths.items()
        if width in wanted and isinstance(model.get_submodule(path), nn.Linear)
    ]
    return list(dict.fromkeys([*linear, *found]))


def _doubtful(model: nn.Module) -> str:
    """The first layer of a kind that the graph does not know, or else the model."""
    for path, module in model.named_modules():
        own = next(module.parameters(recurse=False), None)
        if own is not None and not type(module).__module__.startswith("torch.nn"):
            return f"layer '{path}' ({type(module).__name__})" if path else type(module).__name__
    return type(model).__name__


def _width_in_code(
    pruned: nn.Module, example: Inputs, dense: nn.Module, material: Material
) -> str | None:
    """The last layer that ran before the pruned model failed; None where it runs.

    Raises:
        TransformError: it fails before any layer, or its answer has another shape.
    """
    finished: list[str] = []
    handles = [
        module.register_forward_hook(lambda *_, path=path: finished.append(path))
        for path, module in pruned.named_modules()
        if isinstance(module, WIDE)
    ]
    try:
        with torch.no_grad():
            answers = run(pruned.eval(), example, material.name)
            wanted = run(dense.eval(), example, material.name)
    except TransformError:
        if not finished:
            raise
        return finished[-1]
    finally:
        for handle in handles:
            handle.remove()
    shapes = [[tuple(tensor.shape) for tensor in tensors_in(found)] for found in (answers, wanted)]
    return None if shapes[0] == shapes[1] else finished[-1]


@contextmanager
def _differentiable(model: nn.Module) -> Iterator[None]:
    """The graph is read off autograd's, which must reach every parameter."""
    before = {parameter: parameter.requires_grad for parameter in model.parameters()}
    for parameter in before:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in model.parameters():
            parameter.requires_grad_(before.get(parameter, True))
