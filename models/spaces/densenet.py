"""Densely connected networks for small images (Huang et al., arXiv 1608.06993), in any size.

A 3x3 stem, then dense blocks: every layer adds `growth` channels to all that came before. Between
two blocks a 1x1 convolution halves the channels and a mean pool halves the image. The convolution
comes before its normalisation, unlike in the paper, so that both are one operation when they run.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .plan import Choose, Plan

SMALLEST_IMAGE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DensePlan(Plan):
    """The numbers of a densely connected network.

    Args:
        stem: channels of the first convolution.
        growth: channels that a layer adds.
        depths: layers of each dense block.
        bottleneck: channels of the 1x1 convolution before each 3x3 one, for each that it adds; 0
            for none.
        stem_stride: of the first convolution.
    """

    stem: int
    growth: int
    depths: tuple[int, ...]
    bottleneck: int = 0
    stem_stride: int = 1

    def build(self, *, num_classes: int) -> nn.Module:
        """The network with fresh weights."""
        return DenseNetwork(self, num_classes=num_classes)

    def problem(self) -> str | None:
        """Why no network can be built of it; None where one can."""
        if min(self.stem, self.growth, *self.depths) < 1:
            return "a width and a depth are at least 1"
        if self.stem_stride < 1:
            return "a stride is at least 1"
        if self.stem_stride * 2 ** (len(self.depths) - 1) > SMALLEST_IMAGE:
            return f"{len(self.depths)} blocks leave nothing of {SMALLEST_IMAGE} pixels"
        return None

    @classmethod
    def propose(cls, choose: Choose) -> DensePlan:
        """A point of the space in which a search looks."""
        return cls(
            stem=choose("stem", (8, 16, 24)),
            growth=choose("growth", (8, 12, 16)),
            depths=(choose("depth", (2, 3, 4, 6)),) * choose("stages", (2, 3)),
            bottleneck=choose("bottleneck", (0, 4)),
            stem_stride=choose("stem_stride", (1, 2)),
        )


PLAN = DensePlan


class DenseLayer(nn.Module):
    """Its input with `growth` more channels behind it."""

    def __init__(self, in_channels: int, growth: int, bottleneck: int) -> None:
        super().__init__()
        hidden = growth * bottleneck
        self.squeeze = _unit(in_channels, hidden, 1) if hidden else nn.Identity()
        self.grow = _unit(hidden or in_channels, growth, 3)

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat((features, self.grow(self.squeeze(features))), dim=1)


class DenseNetwork(nn.Module):
    """Images (B, 3, H, W) to logits (B, num_classes)."""

    def __init__(self, plan: DensePlan, *, num_classes: int) -> None:
        super().__init__()
        self.stem = _unit(3, plan.stem, 3, plan.stem_stride)
        layers: list[nn.Module] = []
        channels = plan.stem
        for place, depth in enumerate(plan.depths):
            if place:
                layers += [_unit(channels, max(channels // 2, 1), 1), nn.AvgPool2d(2)]
                channels = max(channels // 2, 1)
            for _ in range(depth):
                layers.append(DenseLayer(channels, plan.growth, plan.bottleneck))
                channels += plan.growth
        self.layers = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.layers(self.stem(images))
        logits: Tensor = self.classifier(self.pool(features).flatten(1))
        return logits


def _unit(in_channels: int, channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
