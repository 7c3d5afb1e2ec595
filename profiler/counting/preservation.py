"""Leaves a model, its inputs and the process as they were."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.jit import optimized_execution  # type: ignore[attr-defined]  # not in its __all__
from torch.utils import _pytree as pytree

from .call import as_call
from .state import Snapshot, random_generators


@contextmanager
def unchanged(model: torch.nn.Module, inputs: Any) -> Iterator[None]:
    """Puts back everything that a call may have changed when it ends.

    Parameters are too large to be copied beforehand: the ledger copies one that is written to.
    """
    _reshard(model)
    arguments, keywords = as_call(inputs)
    tensors = [leaf for leaf in pytree.tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]
    before = Snapshot(
        ("", model),
        ("inputs", arguments),
        ("inputs", keywords),
        ("random state", random_generators([*model.parameters(), *tensors])),
    )
    try:
        yield
    finally:
        _reshard(model)
        before.put_back()


def _reshard(model: torch.nn.Module) -> None:
    """Parameters that FSDP2 has spread out for a call, as they are between two calls."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    if fsdp is not None:
        for module in model.modules():
            if isinstance(module, fsdp.FSDPModule):
                module.reshard()


@contextmanager
def plain_execution(model: torch.nn.Module) -> Iterator[None]:
    """Runs modules operator by operator: no fused encoder path, no compiled code, one thread."""
    from torch.backends import mha

    fast = mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.callback(mha.set_fastpath_enabled, fast)
        mha.set_fastpath_enabled(False)
        for module in model.modules():
            if isinstance(module, torch.nn.DataParallel) and len(module.device_ids) > 1:
                # Replicas run in threads of their own, which no dispatch mode sees.
                stack.callback(setattr, module, "device_ids", module.device_ids)
                module.device_ids = module.device_ids[:1]
        if "torch._dynamo" in sys.modules:  # nothing is compiled where it was never imported
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        # TorchScript's optimizer fuses, and saves for a backward pass that inference mode forbids.
        stack.enter_context(optimized_execution(False))
        yield
