"""Convolutional nets for `tests.bench.repeat`: one piece of work, ten or eleven times."""

from __future__ import annotations

import torch
from torch import nn


class Repeated(nn.Module):
    """A convolution that is applied `count` times in a row."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.layer = nn.Conv2d(32, 32, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for _ in range(self.count):
            x = torch.relu(self.layer(x))
        return x


def ten() -> Repeated:
    """The base."""
    return Repeated(10)


def eleven() -> Repeated:
    """Ten hundredths more of nearly everything that `ten` does."""
    return Repeated(11)


def ten_again() -> Repeated:
    """The base under another name."""
    return Repeated(10)
