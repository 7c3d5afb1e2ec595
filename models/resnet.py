"""ResNet-18 for small images (He et al., arXiv 1512.03385, with the CIFAR stem).

11,220,132 parameters and 555,468,800 MACs with 100 classes at 3x32x32; 11,173,962 and 555,422,720
with 10.
"""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


def conv3x3(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv2d:
    """Dense 3x3 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


def shortcut(in_channels: int, out_channels: int, *, stride: int) -> nn.Module:
    """Identity where the shapes agree, else a strided 1x1 projection."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride=stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = shortcut(in_channels, out_channels, stride=stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.relu(self.norm1(self.conv1(features)))
        out = self.relu(self.norm2(self.conv2(out)) + self.shortcut(features))
        return out


class ResNet(nn.Module):
    """Images (B, 3, H, W) to logits (B, num_classes)."""

    def __init__(self, *, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv3x3(3, WIDTHS[0]), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True)
        )
        stages = []
        in_channels = WIDTHS[0]
        for index, width in enumerate(WIDTHS):
            blocks = []
            for position in range(BLOCKS_PER_STAGE):
                stride = 2 if index > 0 and position == 0 else 1
                blocks.append(BasicBlock(in_channels, width, stride=stride))
                in_channels = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stages(self.stem(images))
        logits: Tensor = self.classifier(self.pool(features).flatten(1))
        return logits


def resnet18(*, num_classes: int) -> ResNet:
    """ResNet-18: two blocks in each of four stages."""
    return ResNet(num_classes=num_classes)
