"""Residual networks for small images (He et al., arXiv 1512.03385, section 4.2), in any size.

A 3x3 stem, stages of basic blocks, the mean over what is left of the image, one linear layer.
ResNet-20 is `residual:stem=16:widths=16-32-64:depths=3-3-3:strides=1-2-2`, with projections where
the paper pads with zeros. MACs are few where the strides come early.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .plan import Choose, Plan

LARGEST_STRIDE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualPlan(Plan):
    """The numbers of a residual network.

    Args:
        stem: channels of the first convolution.
        widths: channels of each stage.
        depths: basic blocks of each stage.
        strides: of the first block of each stage.
        stem_stride: of the first convolution.
        groups: of the 3x3 convolutions of each stage, or of all.
        squeeze: channels of a stage for each channel of its squeeze-excitation (Hu et al., arXiv
            1709.01507); 0 for none.
    """

    stem: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    strides: tuple[int, ...]
    stem_stride: int = 1
    groups: tuple[int, ...] = (1,)
    squeeze: int = 0

    def build(self, *, num_classes: int) -> nn.Module:
        """The network with fresh weights."""
        return ResidualNetwork(self, num_classes=num_classes)

    def problem(self) -> str | None:
        """Why no network can be built of it; None where one can."""
        for name in ("depths", "strides"):
            if len(getattr(self, name)) != len(self.widths):
                return f"{len(self.widths)} stages have {len(getattr(self, name))} {name}"
        if len(self.groups) not in (1, len(self.widths)):
            return f"{len(self.widths)} stages have {len(self.groups)} groups"
        counts = (self.stem, *self.widths, *self.depths, *self.groups)
        if min(counts) < 1:
            return "a width, a depth and a number of groups are at least 1"
        if not all(1 <= stride <= LARGEST_STRIDE for stride in (self.stem_stride, *self.strides)):
            return f"a stride is 1 to {LARGEST_STRIDE}"
        inputs = (self.stem, *self.widths)
        for before, width, groups in zip(inputs, self.widths, self.stage_groups, strict=False):
            if before % groups or width % groups:
                return f"{groups} groups do not divide {before} -> {width} channels"
            if self.squeeze and width < self.squeeze:
                return f"{width} channels cannot be squeezed to one in {self.squeeze}"
        return None

    @classmethod
    def propose(cls, choose: Choose) -> ResidualPlan:
        """A point of the space in which a search looks; widths are multiples of 8."""
        stages = choose("stages", (2, 3))
        width, growth = choose("width", (16, 24, 32, 48)), choose("growth_percent", (150, 200))
        first_stride = choose("first_stride", (1, 2))
        return cls(
            stem=choose("stem", (8, 16, 24)),
            widths=tuple(
                max(8, round(width * (growth / 100) ** stage / 8) * 8) for stage in range(stages)
            ),
            depths=(choose("depth", (1, 2, 3)),) * stages,
            strides=(first_stride, *[2] * (stages - 1)),
            groups=(choose("groups", (1, 2, 4)),),
            squeeze=choose("squeeze", (0, 4)),
        )

    @property
    def stage_groups(self) -> tuple[int, ...]:
        """Groups of each stage."""
        return self.groups * len(self.widths) if len(self.groups) == 1 else self.groups


PLAN = ResidualPlan


class SqueezeExcitation(nn.Module):
    """Scales each channel by what the means of all channels say."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, features: Tensor) -> Tensor:
        scale: Tensor = self.gate(self.expand(self.relu(self.reduce(self.pool(features)))))
        return features * scale


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: identity, or a strided 1x1 projection.

    Each ReLU is a module of its own: quantizers that match patterns of modules know one use of it.
    """

    def __init__(
        self, in_channels: int, channels: int, *, stride: int, groups: int, squeeze: int
    ) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, channels, stride=stride, groups=groups)
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(channels, channels, groups=groups)
        self.norm2 = nn.BatchNorm2d(channels)
        self.excitation = (
            SqueezeExcitation(channels, channels // squeeze) if squeeze else nn.Identity()
        )
        self.shortcut = (
            nn.Identity()
            if stride == 1 and in_channels == channels
            else nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(channels),
            )
        )
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(features)))))
        out = self.relu2(self.excitation(out) + self.shortcut(features))
        return out


class ResidualNetwork(nn.Module):
    """Images (B, 3, H, W) to logits (B, num_classes)."""

    def __init__(self, plan: ResidualPlan, *, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv3x3(3, plan.stem, stride=plan.stem_stride),
            nn.BatchNorm2d(plan.stem),
            nn.ReLU(inplace=True),
        )
        stages, before = [], plan.stem
        shapes = zip(plan.widths, plan.depths, plan.strides, plan.stage_groups, strict=True)
        for width, depth, first_stride, groups in shapes:
            blocks = []
            for stride in (first_stride, *[1] * (depth - 1)):
                blocks.append(
                    ResidualBlock(before, width, stride=stride, groups=groups, squeeze=plan.squeeze)
                )
                before = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(before, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stages(self.stem(images))
        logits: Tensor = self.classifier(self.pool(features).flatten(1))
        return logits


def _conv3x3(in_channels: int, channels: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1, groups=groups, bias=False)
