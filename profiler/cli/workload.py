"""The model that the flags of `measure` and `layers` name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profiler.workload.target import Target


def load_target(arguments: argparse.Namespace) -> Target:
    """The model, seeded, with its weights."""
    import torch

    from profiler.machine.device import find_device
    from profiler.workload.target import resolve
    from profiler.workload.weights import load_weights

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    find_device(arguments.device)
    torch.manual_seed(arguments.seed)
    target = resolve(arguments.model, num_classes=arguments.classes)
    if arguments.checkpoint is not None:
        load_weights(target.model, arguments.checkpoint)
    return target
