"""int8 by torchao's own steps, without wattprof around them: what the transform is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)

from profiler.variants.pt2e import separate_calls


def bare_int8(model: nn.Module, images: torch.Tensor) -> Callable[[], Any]:
    """One call of the quantized network, compiled with frozen weights.

    Args:
        model: in eval mode, in fp32.
        images: (B, C, H, W), which it is calibrated on and called with.
    """
    from torch._inductor import config

    # A batch of one would be taken for a constant.
    example = images[torch.arange(2) % len(images)]
    batch = {0: torch.export.Dim("batch", min=1)}
    program = torch.export.export(model, (example,), dynamic_shapes=(batch,))
    graph: Any = program.module(check_guards=False)
    separate_calls(graph)  # one nn.ReLU in two places: torchao alone refuses it
    quantizer = X86InductorQuantizer()
    quantizer.set_global(get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(graph, quantizer)
    with torch.no_grad():
        prepared(images)
    compiled = torch.compile(convert_pt2e(prepared), dynamic=True)

    def call() -> Any:
        with config.patch(freezing=True), torch.no_grad():
            return compiled(images)

    call()
    return call
