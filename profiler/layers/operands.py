"""What loads compute with: random numbers, which cost what a model's numbers cost.

Constants switch fewer transistors: by the data alone a GPU's power for one matrix product differs
by up to 40 % (Gregersen et al., arXiv 2409.18324), and where a power limit sets the clock, its time
too.
"""

from __future__ import annotations

import math

import torch

TILE_COUNT = 1 << 18
"""So many different numbers, again and again: drawing more would take longer than the load."""


def random_operand(*shape: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    """Normal numbers, or all bytes for an integer type; the global generators are left alone."""
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point:
        tile = torch.randn(TILE_COUNT, generator=generator)
    else:
        tile = torch.randint(0, 256, (TILE_COUNT,), generator=generator)
    count = math.prod(shape)
    tiles = tile.to(device, dtype).repeat(math.ceil(count / TILE_COUNT))
    return tiles[:count].view(shape)
