"""A complex multiply-accumulate is one, in convolutions too.

torch makes a complex convolution of three real ones (Gauss) before any operator is dispatched, and
leaves a complex matrix product one operator. So the call is met a level higher, and of its three
products one is counted. The backward pass is counted as the real convolutions that it is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from .dispatch import OperatorCounter
from .tensors import tensors_in

_NAMES = "conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d conv_transpose3d"
_CONVOLUTIONS = frozenset(getattr(torch, name) for name in _NAMES.split())


class _ConvolutionMode(TorchFunctionMode):
    def __init__(self, counter: OperatorCounter) -> None:
        super().__init__()
        self._counter = counter

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _CONVOLUTIONS and any(map(torch.is_complex, tensors_in((args, kwargs)))):
            with self._counter.one_product_of_three():
                return func(*args, **kwargs)
        return func(*args, **kwargs)


@contextmanager
def complex_convolutions(
    counter: OperatorCounter, tensors: Iterable[torch.Tensor]
) -> Iterator[None]:
    """Counts complex convolutions as such, where any of the model's tensors is complex."""
    if not any(map(torch.is_complex, tensors)):
        yield
        return
    with _ConvolutionMode(counter):
        yield
