"""A small network, quick to export, with the things that exports stumble over."""

from __future__ import annotations

import torch
from torch import nn


class Tiny(nn.Module):
    """Convolutions, a norm, one ReLU used twice, a residual sum, a mean and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.conv = nn.Conv2d(16, 16, 3, padding=1)
        self.relu = nn.ReLU()
        self.head = nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = self.relu(self.norm(self.stem(images)))
        return self.head(self.relu(seen + self.conv(seen)).mean((2, 3)))


def tiny() -> nn.Module:
    """The network with fixed weights, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return Tiny().eval()


def images(count: int, seed: int = 0) -> torch.Tensor:
    """Inputs of it."""
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
