"""Leaves a model, its inputs and the process as they were."""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.jit import optimized_execution  # type: ignore[attr-defined]  # not in its __all__
from torch.utils import _pytree as pytree

from .tensors import has_values

_CONTAINERS = (list, dict, set, deque)


@contextmanager
def unchanged(model: torch.nn.Module, inputs: Any) -> Iterator[None]:
    """Puts back buffers, attributes, inputs and random state when it ends.

    Parameters are too large to be copied beforehand: the ledger copies one that is written to.
    """
    with ExitStack() as stack:
        stack.callback(_values_back, _values(model, inputs))
        stack.callback(_modules_back, [_snapshot(module) for module in model.modules()])
        stack.enter_context(_random_state(model, inputs))
        yield


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


def _values(model: torch.nn.Module, inputs: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    tensors = [*model.buffers(), *_leaves(inputs)]
    with torch.no_grad():
        return [(t, t.detach().clone()) for t in tensors if _can_be_put_back(t)]


def _can_be_put_back(tensor: torch.Tensor) -> bool:
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
    return plain and has_values(tensor) and tensor.layout is torch.strided and not tensor.is_nested


def _values_back(copies: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    with torch.no_grad():
        for tensor, copy in copies:
            if tensor.shape == copy.shape and not torch.equal(tensor, copy):
                if tensor.is_inference():
                    with torch.inference_mode():
                        tensor.copy_(copy)
                else:
                    tensor.detach().copy_(copy)


def _leaves(inputs: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]


def _snapshot(module: torch.nn.Module) -> tuple[torch.nn.Module, dict[str, Any], dict[str, Any]]:
    """A module's attributes, and what its containers (modules, buffers, lists) hold."""
    state = dict(module.__dict__)
    held = {k: _shallow(v) for k, v in state.items() if type(v) in _CONTAINERS}
    return module, state, held


def _shallow(container: Any) -> Any:
    return container.copy()


def _modules_back(states: list[tuple[torch.nn.Module, dict[str, Any], dict[str, Any]]]) -> None:
    for module, state, held in states:
        for name, copy in held.items():
            container = state[name]
            if isinstance(container, (list, deque)):
                container.clear()
                container.extend(copy)
            else:
                container.clear()
                container.update(copy)
        module.__dict__.clear()
        module.__dict__.update(state)


@contextmanager
def _random_state(model: torch.nn.Module, inputs: Any) -> Iterator[None]:
    tensors = [*model.parameters(), *_leaves(inputs)]
    devices = {t.device.index or 0 for t in tensors if t.device.type == "cuda"}
    plain = random.getstate()
    with torch.random.fork_rng(devices=sorted(devices)):
        try:
            yield
        finally:
            random.setstate(plain)
