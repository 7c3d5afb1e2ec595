"""Small networks that have what transforms stumble over."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 10
IMAGES = (4, 3, 16, 16)


class Block(nn.Module):
    """Two convolutions around a sum; one ReLU is called in two places."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=True)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


class Net(nn.Module):
    """Images (B, 3, H, W) to logits (B, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1))
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x).relu()).mean((2, 3)))


class FixedWidth(nn.Module):
    """States the width of its first layer as a number, as many networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).reshape(len(x), 32, 16, 16)
        return self.head(self.second(x).mean((2, 3)))


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net().eval()


def images(seed: int = 1) -> Tensor:
    return torch.randn(IMAGES, generator=torch.Generator().manual_seed(seed))


def answer(model: nn.Module, x: Tensor) -> Tensor:
    """What a model answers; the graph of a quantized one uncompiled, which takes no minute."""
    from profiler.workload.quantized import QuantizedModule

    with torch.no_grad():
        found: Tensor = (model.module if isinstance(model, QuantizedModule) else model)(x)
    return found.float()


def decibels(signal: Tensor, noisy: Tensor) -> float:
    """Signal to noise."""
    noise = (signal - noisy).square().sum()
    return float(10 * torch.log10(signal.square().sum() / noise))
