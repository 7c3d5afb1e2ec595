"""The Lightweight CNN: 258,292 parameters and 12,159,488 MACs with 100 classes at 3x32x32."""

from __future__ import annotations

from torch import Tensor, nn


def conv_unit(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    """3x3 convolution without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class Lightweight(nn.Module):
    """Images (B, 3, H, W) to logits (B, num_classes).

    The max pool has stride 1: it takes 8x8 to 7x7, and every later convolution works on 7x7.
    """

    def __init__(self, *, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_unit(3, 16, stride=2),
            conv_unit(16, 32, stride=2),
            nn.MaxPool2d(2, stride=1),
            conv_unit(32, 64),
            conv_unit(64, 128),
            conv_unit(128, 128),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(128, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.features(images)).flatten(1))
        return logits


def lightweight(*, num_classes: int) -> Lightweight:
    """The network of the study's model file."""
    return Lightweight(num_classes=num_classes)
