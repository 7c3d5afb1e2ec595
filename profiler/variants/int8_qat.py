"""`int8-qat`: 8 bits with the rounding seen in training (quantization-aware training)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from torch import nn

from profiler.values.applied_transform import AppliedTransform
from profiler.workload.quantized import quiet_libraries

from .int8 import BITS, EXAMPLE_ITEMS
from .material import Material, counts_before
from .pt2e import PACKAGE, check_kernels, convert, export, observe, quantizer, refused


class RoundedModule(nn.Module):
    """A network that rounds like an int8 one and still learns: an exported graph.

    Args:
        graph: prepared for quantization; it may switch between training and evaluation.
    """

    def __init__(self, graph: Any) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        return self.graph(*inputs, **keywords)

    def train(self, mode: bool = True) -> Self:
        """Batch norms and dropouts switch; the graph's own flag stays, which torch would refuse."""
        self.training = mode
        with quiet_libraries():
            self.graph.train(mode) if mode else self.graph.eval()
        return self


def apply(
    model: nn.Module, value: float | None, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """The model with every rounding of an int8 one, for training; `finish` makes it one.

    Raises:
        TransformError: torchao is not installed, or the model does not export.
    """
    flow = material.needs(f"{PACKAGE}.quantize_pt2e")
    chosen = quantizer(material, is_qat=True)
    parameter_count, mac_count = counts_before(model, material)
    graph = export(model.train(), material.example(EXAMPLE_ITEMS), material, least=2)
    with refused(material, model), quiet_libraries():
        prepared = flow.prepare_qat_pt2e(graph, chosen)
        material.needs(PACKAGE).allow_exported_model_train_eval(prepared)
    rounded = RoundedModule(prepared).eval()
    # Observers have no shape before they have seen something, and weights none to be loaded into.
    observe(rounded, material)
    return rounded, AppliedTransform(
        name=material.name,
        weight_bits=BITS,
        activation_bits=BITS,
        parameter_count_before=parameter_count,
        mac_count_before=mac_count,
        notes=() if material.is_trained else (f"{material.name} was given no trained weights",),
    )


def finish(
    rounded: RoundedModule, applied: AppliedTransform, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """Integer weights and kernels in the place of the rounding.

    Raises:
        TransformError: there are no kernels here.
    """
    notes = check_kernels(material)
    quantized, left_alone = convert(rounded.eval().graph, material)
    return quantized, replace(applied, left_alone=left_alone, notes=(*applied.notes, *notes))
