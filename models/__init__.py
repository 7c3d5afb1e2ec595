"""The study's zoo: one file a family, and the table of what can be asked for by name.

Importing this package imports no torch; building a variant does. Imports inside it are relative,
because `profiler.target` loads it from its folder under a name of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from .spaces import DEFAULT_CLASSES, SPACES, Point, find_point, is_point, propose_point

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "DEFAULT_CLASSES",
    "JOURNEY",
    "SPACES",
    "VARIANTS",
    "Point",
    "Variant",
    "find_point",
    "is_point",
    "propose_point",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One model of the zoo; calling it builds the network with fresh weights.

    Args:
        family: the file of this folder that holds the factory.
        factory: the function in that file; it takes `num_classes`.
        description: one line for `python -m models list`.
        input_shape: (channels, height, width) of one image.
    """

    family: str
    factory: str
    description: str
    input_shape: tuple[int, int, int] = (3, 32, 32)

    def __call__(self, *, num_classes: int = DEFAULT_CLASSES) -> nn.Module:
        """Build the network.

        Raises:
            ValueError: there is not at least one class.
        """
        if num_classes < 1:
            raise ValueError(f"a classifier has at least one class, not {num_classes}")
        build = getattr(import_module(f".{self.family}", __name__), self.factory)
        network: nn.Module = build(num_classes=num_classes)
        return network


VARIANTS: dict[str, Variant] = {
    "lightweight": Variant(
        family="lightweight",
        factory="lightweight",
        description="five 3x3 convolutions, 16 to 128 channels",
    ),
    "resnet18": Variant(
        family="resnet",
        factory="resnet18",
        description="ResNet-18 in its CIFAR form: 3x3 stride-1 stem, no max pool",
    ),
}

JOURNEY = (
    "resnet18",
    "resnet18+groups=2",
    "resnet18+groups=4",
    "resnet18+groups=8",
    "resnet18+depthwise",
)
"""What the study "ResNet18 Optimization Journey with Cifar10" factorizes ResNet-18 to."""
