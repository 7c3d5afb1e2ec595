"""The most memory that a call holds at once."""

from __future__ import annotations

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from profiler.machine.device import Device
from profiler.values.estimate import Basis, Estimate, counted
from profiler.workload.prepared import PreparedModel, tensors_in

# Kernels whose workspace is no detail: the attention scores of every head.
_HIDING = frozenset({"_native_multi_head_attention", "_transformer_encoder_layer_fwd"})


def peak_memory(bench: PreparedModel, device: Device) -> Estimate | None:
    """Bytes held at the worst moment of one call, weights and inputs included.

    On a GPU the caching allocator's own high-water mark; on a CPU the tensor storages alive at the
    same time, which leaves out the workspaces of kernels. None on a CPU where the model hides its
    operators (compiled, or TorchScript, which may fuse them; torch's fused attention) or has sparse
    tensors.
    """
    if device.is_gpu:
        module = torch.get_device_module(device.name)
        module.reset_peak_memory_stats(device.name)
        bench.call()
        device.synchronize()
        held = module.max_memory_allocated(device.name)
        return Estimate(
            point=held, low=held, high=held, unit="B", confidence=1.0, basis=Basis.MEASURED,
            source=f"high-water mark of torch's {module.__name__.rpartition('.')[2]} allocator",
        )  # fmt: skip
    if any(isinstance(module, torch.jit.ScriptModule) for module in bench.model.modules()):
        return None
    known = [*bench.model.parameters(), *bench.model.buffers(), *tensors_in(bench.inputs)]
    mode = _LiveStorages(known)
    with mode:
        bench.call()
    if mode.is_blind or mode.operator_count == 0:
        return None
    return counted(
        mode.peak_bytes, "B", "tensor storages alive at once, without the kernels' workspaces"
    )


class _LiveStorages(TorchDispatchMode):
    """Adds up the storages that are alive after every operator."""

    def __init__(self, held: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.peak_bytes = 0
        self.operator_count = 0
        self.is_blind = False
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self._note(held)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if not isinstance(func, torch._ops.OpOverload) or func._opname in _HIDING:
            self.is_blind = True
            return func(*args, **kwargs)
        # In inference mode a composite operator arrives whole, and hides what it allocates inside.
        with self:
            result = func.decompose(*args, **kwargs)
        if result is NotImplemented:
            result = func(*args, **kwargs)
            self.operator_count += 1
        self._note(tensors_in((args, kwargs, result)))
        return result

    def _note(self, tensors: list[torch.Tensor]) -> None:
        for tensor in tensors:
            if tensor.layout is not torch.strided:
                self.is_blind = True
                continue
            storage = tensor.untyped_storage()
            reference = StorageWeakRef(storage)
            self._live[reference.cdata] = (reference, storage.nbytes())
        gone = [key for key, (reference, _) in self._live.items() if reference.expired()]
        for key in gone:
            del self._live[key]
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in self._live.values()))
