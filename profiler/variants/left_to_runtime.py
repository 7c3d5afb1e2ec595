"""A precision that a run-time other than torch gives a model, with kernels of its own."""

from __future__ import annotations

from torch import nn

from profiler.errors import TransformError
from profiler.values.applied_transform import AppliedTransform
from profiler.workload.transformed import LeftToRuntime, leave_to_runtime

from .material import Material
from .table import Transform


def leave(model: nn.Module, found: Transform, material: Material) -> AppliedTransform:
    """Note on the model what its run-time is to do.

    Raises:
        TransformError: the precision is one that torch alone can give.
    """
    assert material.runtime is not None
    if found.trains:
        raise TransformError(
            f"{material.name} learned the rounding of torch's kernels, and {material.runtime} has "
            "its own",
            # Its weights fit no other form of the network.
            hint="run it on --runtime compile, or give +int8 and the checkpoint that its training "
            "began from",
        )
    batches = material.batches if found.needs_inputs else ()
    left = LeftToRuntime(runtime=material.runtime, precision=material.name, batches=batches)
    leave_to_runtime(model, left)
    return AppliedTransform(
        name=material.name,
        weight_bits=found.weight_bits,
        activation_bits=found.activation_bits,
    )
