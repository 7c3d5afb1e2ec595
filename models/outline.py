"""The modules of a model with shapes, parameters and MACs, run on the meta device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.counting import count
from profiler.errors import TargetError, UsageError
from profiler.variants import TRANSFORMS, build, parse
from profiler.variants.table import Stage

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module of the tree.

    Args:
        kind: class name.
        parameter_count: parameters in it and below it.
        mac_count: multiply-accumulates of one image in it and below it.
        output_shape: of one image, without the batch axis; None where it did not run.
        children: name and module, in the order of definition.
    """

    kind: str
    parameter_count: int
    mac_count: int
    output_shape: tuple[int, ...] | None
    children: tuple[tuple[str, Module], ...]


def outline(reference: str, *, num_classes: int) -> Module:
    """The tree of a model of the zoo, or of a variant of one, for one image.

    Raises:
        UsageError: a transform changes the precision alone, which has no shape to draw.
        TargetError: the reference leads to no model of images.
    """
    import torch

    for call in parse(reference).transforms:
        if call.name in TRANSFORMS and TRANSFORMS[call.name].stage is Stage.PRECISION:
            raise UsageError(
                f"+{call} changes numbers, not the architecture", hint=f"leave out +{call}"
            )
    target = build(reference, num_classes=num_classes)
    if target.input_shape is None:
        raise TargetError(
            f"'{reference}' does not say the shape of its images",
            hint="see `python -m models list`",
        )
    network = target.model.eval().to("meta")
    image = torch.empty(1, *target.input_shape, device="meta")
    macs = {layer.path: layer.mac_count for layer in count(network, image).layers}
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        shapes[module] = tuple(output.shape[1:])

    for module in network.modules():
        module.register_forward_hook(note)
    with torch.no_grad():
        network(image)
    return _tree(network, "", shapes, macs)


def _tree(
    module: nn.Module,
    path: str,
    shapes: Mapping[nn.Module, tuple[int, ...]],
    macs: Mapping[str, int],
) -> Module:
    children = tuple(
        (name, _tree(child, f"{path}.{name}".lstrip("."), shapes, macs))
        for name, child in module.named_children()
    )
    return Module(
        kind=type(module).__name__,
        parameter_count=sum(parameter.numel() for parameter in module.parameters()),
        # A row of the counter is a module by itself, its children left out.
        mac_count=macs.get(path, 0) + sum(child.mac_count for _, child in children),
        output_shape=shapes.get(module),
        children=children,
    )


def stages(top: Module, depth: int) -> tuple[tuple[str, Module], ...]:
    """The modules at a depth below the top, or less deep where the tree ends, in order."""

    def walk(name: str, module: Module, level: int) -> list[tuple[str, Module]]:
        if level == depth or not module.children:
            return [(name, module)]
        return [
            found
            for child_name, child in module.children
            for found in walk(f"{name}.{child_name}".lstrip("."), child, level + 1)
        ]

    return tuple(walk("", top, 0))
