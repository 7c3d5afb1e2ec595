"""The modules of a variant with shapes and parameters, run on the meta device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import Variant

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module of the tree.

    Args:
        kind: class name.
        parameter_count: parameters in it and below it.
        output_shape: of one image, without the batch axis; None where it did not run.
        children: name and module, in the order of definition.
    """

    kind: str
    parameter_count: int
    output_shape: tuple[int, ...] | None
    children: tuple[tuple[str, Module], ...]


def outline(variant: Variant, *, num_classes: int) -> Module:
    """The tree of a variant for one image. Takes no memory for weights and runs nothing real."""
    import torch

    with torch.device("meta"):
        network = variant(num_classes=num_classes).eval()
        image = torch.empty(1, *variant.input_shape)
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        shapes[module] = tuple(output.shape[1:])

    for module in network.modules():
        module.register_forward_hook(note)
    with torch.no_grad():
        network(image)
    return _tree(network, shapes)


def _tree(module: nn.Module, shapes: dict[nn.Module, tuple[int, ...]]) -> Module:
    return Module(
        kind=type(module).__name__,
        parameter_count=sum(parameter.numel() for parameter in module.parameters()),
        output_shape=shapes.get(module),
        children=tuple((name, _tree(child, shapes)) for name, child in module.named_children()),
    )
