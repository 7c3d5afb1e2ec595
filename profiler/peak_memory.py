"""The most memory that a call holds at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from .device import Device
from .estimate import Basis, Estimate, counted
from .workbench import tensors_in


def peak_memory(model: nn.Module, call: Callable[[], None], device: Device) -> Estimate | None:
    """Bytes held at the worst moment of one call, weights and inputs included.

    On a GPU the caching allocator's own high-water mark; on a CPU the tensor storages alive at the
    same time, which leaves out the workspaces of kernels. None where the model hides its operators.
    """
    if device.is_gpu:
        torch.cuda.reset_peak_memory_stats(device.name)
        call()
        device.synchronize()
        held = torch.cuda.max_memory_allocated(device.name)
        return Estimate(
            point=held, low=held, high=held, unit="B", confidence=1.0, basis=Basis.MEASURED,
            source="high-water mark of torch's CUDA allocator",
        )  # fmt: skip
    mode = _LiveStorages([*model.parameters(), *model.buffers()])
    with mode:
        call()
    if mode.operator_count == 0:
        return None
    return counted(
        mode.peak_bytes, "B", "tensor storages alive at once, without the kernels' workspaces"
    )


class _LiveStorages(TorchDispatchMode):
    """Adds up the storages that are alive after every operator."""

    def __init__(self, held: list[torch.Tensor]) -> None:
        super().__init__()
        self.peak_bytes = 0
        self.operator_count = 0
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self._note(held)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operator_count += 1
        self._note(tensors_in((args, result)))
        return result

    def _note(self, tensors: list[torch.Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            reference = StorageWeakRef(storage)
            self._live[reference.cdata] = (reference, storage.nbytes())
        gone = [key for key, (reference, _) in self._live.items() if reference.expired()]
        for key in gone:
            del self._live[key]
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in self._live.values()))
