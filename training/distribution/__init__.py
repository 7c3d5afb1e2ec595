"""Several processes, one training: PyTorch's own torchrun starts them, and this joins them.

    torchrun --nproc-per-node 2 -m training train ...

Every rank runs the same loop on its part of each batch; DistributedDataParallel averages the
gradients, so that a step equals that of one process with the whole batch. Statistics of BatchNorm
are an exception: each rank takes them over its own part, and the first rank's are kept. The first
rank alone prints and writes checkpoints; one rank of each host reads its sensors.
"""

from .group import ALONE, Group
from .joining import join, joined, leave

__all__ = ["ALONE", "Group", "join", "joined", "leave"]
