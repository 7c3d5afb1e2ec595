"""`int8`: weights and activations in 8 bits, calibrated after training, on inductor's kernels."""

from __future__ import annotations

from torch import nn

from profiler.values.applied_transform import AppliedTransform
from profiler.workload.quantized import quiet_libraries

from .material import Material, counts_before
from .pt2e import PACKAGE, check_kernels, convert, export, observe, quantizer, refused

BITS = 8
EXAMPLE_ITEMS = 2  # torch.export takes a batch of one for a constant


def apply(
    model: nn.Module, value: float | None, material: Material
) -> tuple[nn.Module, AppliedTransform]:
    """A quantized copy of the model.

    Raises:
        TransformError: no kernels here, torchao is not installed, or the model does not export.
    """
    notes = check_kernels(material)
    flow = material.needs(f"{PACKAGE}.quantize_pt2e")
    chosen = quantizer(material, is_qat=False)
    parameter_count, mac_count = counts_before(model, material)
    graph = export(model.eval(), material.example(EXAMPLE_ITEMS), material, least=1)
    with refused(material, model), quiet_libraries():
        prepared = flow.prepare_pt2e(graph, chosen)
    observe(prepared, material)
    quantized, left_alone = convert(prepared, material)
    return quantized, AppliedTransform(
        name=material.name,
        weight_bits=BITS,
        activation_bits=BITS,
        parameter_count_before=parameter_count,
        mac_count_before=mac_count,
        left_alone=left_alone,
        notes=notes,
    )
