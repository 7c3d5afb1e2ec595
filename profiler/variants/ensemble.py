"""`ensemble(A@FILE,B@FILE)`: several networks, each called for every input, that vote."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from profiler.errors import TransformError


class Ensemble(nn.Module):
    """The logarithm of the mean of the members' probabilities (a soft vote), in fp32.

    Its softmax is that mean. Every member runs in every call and is charged for it.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Any, **keywords: Any) -> Tensor:
        votes = [member(*inputs, **keywords) for member in self.members]
        if len({vote.shape for vote in votes}) > 1:
            shapes = " and ".join("x".join(map(str, vote.shape)) for vote in votes)
            raise TransformError(
                f"the members of an ensemble answer in different shapes: {shapes}",
                hint="give members that were trained for the same classes",
            )
        logarithms = torch.stack([vote.float().log_softmax(-1) for vote in votes])
        return logarithms.logsumexp(0) - math.log(len(votes))
