"""Torch's global settings during a run; they are restored afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from profiler.errors import UsageError
from training.recipe import Recipe

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
DETERMINISTIC_WORKSPACE = ":4096:8"


@contextmanager
def settings(recipe: Recipe, threads: int | None) -> Iterator[None]:
    """Threads and the choice between fast and reproducible kernels; put back afterwards.

    Args:
        recipe: `deterministic` is read.
        threads: of torch on the CPU; None leaves them.

    Raises:
        UsageError: less than one thread.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads cannot train", hint="give --threads 1 or more")
    kept_threads = torch.get_num_threads()
    kept_algorithms = torch.are_deterministic_algorithms_enabled()
    kept_benchmark = torch.backends.cudnn.benchmark
    kept_workspace = os.environ.get(WORKSPACE)
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        if recipe.deterministic:
            os.environ.setdefault(WORKSPACE, DETERMINISTIC_WORKSPACE)
            torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = not recipe.deterministic
        yield
    finally:
        torch.set_num_threads(kept_threads)
        torch.use_deterministic_algorithms(kept_algorithms)
        torch.backends.cudnn.benchmark = kept_benchmark
        if kept_workspace is None:
            os.environ.pop(WORKSPACE, None)
