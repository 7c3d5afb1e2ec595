"""A quantized network as its kernels run it: an exported graph, compiled when it is called."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from profiler.errors import TransformError


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """What torch and torchao warn of and log about their own insides is nobody's concern."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class QuantizedModule(nn.Module):
    """Runs a graph of quantize, dequantize and float operators through inductor's int8 kernels.

    Uncompiled, or with gradients, the same graph is slower than the float network it came from, so
    that compiling it and switching gradients off is no choice of the caller's. Compiling happens at
    the first call with inputs of a new form.

    Args:
        module: the exported graph, whose weights are integers.
        precision: what its kernels compute in, for reports.

    Attributes:
        needs_compile: a run-time must compile `module` with frozen weights.
        needs_no_grad: and call it without gradients.
    """

    needs_compile = True
    needs_no_grad = True

    def __init__(self, module: torch.fx.GraphModule, *, precision: str = "int8") -> None:
        # Not at the top of the module: it takes a second, and counting looks whether it is there
        # before it runs a compiled model eagerly.

        super().__init__()
        self.module = module
        self.precision = precision
        self.training = False
        self._runner: Any = None

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        from torch._inductor import config

        if self._runner is None:
            self._runner = torch.compile(self.module.forward, dynamic=True)
            with quiet_libraries():
                return self(*inputs, **keywords)
        before = config.freezing
        # Read by dynamo, too, when it compiles: torch.compile's own `options` reach inductor alone.
        config.freezing = True
        try:
            with torch.inference_mode(), torch.autocast("cpu", enabled=False):
                found = self._runner(*inputs, **keywords)
        finally:
            config.freezing = before
        if torch.is_inference_mode_enabled():
            return found
        # What was made in inference mode could teach no other network.
        return tree_map_only(torch.Tensor, torch.clone, found)

    def train(self, mode: bool = True) -> Self:
        """It has one mode: exported graphs refuse to change theirs."""
        if mode:
            raise TransformError(
                f"a network quantized to {self.precision} cannot be trained",
                hint="train with +int8-qat, which sees the rounding in training",
            )
        return self

    def __getstate__(self) -> dict[str, Any]:
        """A copy compiles its own graph."""
        return {**self.__dict__, "_runner": None}


def quantized_parts(model: nn.Module) -> tuple[QuantizedModule, ...]:
    """The parts of a model that run only compiled: the model itself, or members of an ensemble."""
    return tuple(module for module in model.modules() if isinstance(module, QuantizedModule))
