"""Bytes that an operator reads and writes by itself: unfused traffic, weights apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from .operators.definitions import Formula
from .tensors import byte_count, has_values, storage_key, tensors_in

if TYPE_CHECKING:
    pass
    from .operators.plans import CountingPlan
from collections import Counter
from dataclasses import dataclass, field


class Weights:
    """Knows which tensors are weights: parameters, buffers, and what is made of these alone.

    A weight that is cast, masked, transposed or dequantized on its way is still the weight.
    """

    def __init__(self, tensors: Iterable[torch.Tensor]) -> None:
        self._kept: dict[int, Any] = {}
        self._saved: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.seen: dict[tuple[Any, ...], Any] = {}
        for tensor in tensors:
            self.add(tensor)

    def add(self, tensor: torch.Tensor) -> None:
        """Marks the storage of a tensor as weight, and keeps it so that it is not used anew."""
        key = storage_key(tensor)
        if key is not None:
            self._kept[key] = tensor

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is a weight."""
        key = storage_key(tensor)
        return key is not None and key in self._kept

    def save_before_write(self, targets: Any) -> None:
        """Copies the parameter or buffer behind each tensor that is about to be written to."""
        for tensor in tensors_in(targets):
            key = storage_key(tensor)
            weight = None if key is None else self._kept.get(key)
            if key is None or weight is None or key in self._saved or not has_values(weight):
                continue
            self._saved[key] = weight, weight.detach().clone()

    def put_back(self) -> None:
        """Gives every weight that was written to the values it had before."""
        with torch.no_grad():
            for weight, values in self._saved.values():
                weight.detach().copy_(values)

    def keys_of(self, formula: Formula, args: Any) -> tuple[Any, ...]:
        """Names of the weights that a product uses; their tensors are in `seen`."""
        keys = []
        for position in formula.weights:
            if position >= len(args):
                continue
            value = args[position]
            if isinstance(value, torch.ScriptObject):
                key: tuple[Any, ...] = ("packed", id(value))
                self.seen[key] = value
                keys.append(key)
                continue
            for tensor in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(tensor, torch.Tensor) and tensor.dim() > 1 and self.holds(tensor):
                    keys.append(self._note(tensor))
        return tuple(keys)

    def _note(self, tensor: torch.Tensor) -> tuple[Any, ...]:
        storage = tensor.untyped_storage()
        key: tuple[Any, ...] = (storage._cdata,)
        if tensor.numel() * tensor.element_size() != storage.nbytes():
            key += (tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()))
        self.seen.setdefault(key, tensor)
        return key


def mutated_in(plan: CountingPlan, args: Any, kwargs: dict[str, Any]) -> list[Any]:
    """The arguments that an operator writes to."""
    given = (m for m in plan.mutated if not isinstance(m, int) or m < len(args))
    return [args[m] if isinstance(m, int) else kwargs.get(m) for m in given]


class Traffic:
    """Adds the bytes of operators to tallies."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def add(
        self, tally: TrafficTally, plan: CountingPlan, args: Any, kwargs: dict[str, Any], out: Any
    ) -> None:
        """Adds what one call of an operator reads and writes."""
        made = 0
        if plan.writes:
            mutated = mutated_in(plan, args, kwargs) if plan.mutated else None
            fresh = tensors_in(out if mutated is None else mutated)
            made = sum(byte_count(tensor) for tensor in fresh)
            tally.written_bytes += made
        sources = list(tensors_in(args[1:] if plan.reads == "rest" else args))
        if kwargs:
            sources.extend(tensors_in(kwargs))
        all_weights = bool(sources)
        for tensor in sources:
            weight = self._weights.holds(tensor)
            all_weights = all_weights and weight
            size = byte_count(tensor)
            if plan.reads == "written":
                size = min(size, made)
            if weight:
                tally.weight_read_bytes += size
            else:
                tally.activation_read_bytes += size
        if all_weights:
            for tensor in tensors_in(out):
                self._weights.add(tensor)


@dataclass(slots=True)
class TrafficTally:
    """What has been added up for one module in one direction."""

    mac_count: int = 0
    weight_read_bytes: int = 0
    activation_read_bytes: int = 0
    written_bytes: int = 0
    uncounted: dict[str, None] = field(default_factory=dict)
    weighted: Counter[tuple[Any, ...]] = field(default_factory=Counter)
