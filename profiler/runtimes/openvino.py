"""`openvino`: OpenVINO's intermediate representation on its CPU plugin; int8 by NNCF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from profiler.errors import ExportError
from profiler.values.applied_transform import LeftAlone

from .job import Executable, Exported, Job, Layers, explained_export
from .table import installed

NAME = "openvino"
# OpenVINO's own names of the precisions. Without a hint it computes in bf16 where the CPU can, and
# a number said to be of fp32 would not be.
HINTS = {"fp32": "f32", "int8": "f32", "bf16": "bf16", "fp16": "f16"}
RUN_AS = {"fp32": {"f32"}, "int8": {"i8", "u8"}, "bf16": {"bf16"}, "fp16": {"f16"}}
LAYERS = frozenset({"Convolution", "FullyConnected", "MatMul", "Deconvolution"})


def export(job: Job, folder: Path) -> Exported:
    """Write model.xml and model.bin, quantized where that is asked for, with any batch.

    Weights stay in fp32 where they are not quantized: rounding them to fp16 is another model.

    Raises:
        ExportError: an operator has no OpenVINO form, or cannot be quantized.
    """
    openvino = installed(NAME, NAME)
    file = folder / "model.xml"
    program = job.program
    with explained_export(job, "export"):
        network = _convert(openvino, program)
        if job.precision == "int8":
            network = _quantize(network, job)
        openvino.save_model(network, str(file), compress_to_fp16=False)
    return Exported(file=file)


def _convert(openvino: Any, program: Any) -> Any:
    """The network, each operation's name begun with the path of its layer."""
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    decoder = TorchFXPythonDecoder.from_exported_program(program)
    paths = {node.name: _path_of(node) for node in decoder.pt_module.graph.nodes}
    network = openvino.convert_model(decoder)
    for operation in network.get_ops():
        name = operation.get_friendly_name()
        path = paths.get(name.partition("/")[0])
        if path is not None:
            operation.set_friendly_name(f"{path}:{name}")
    return network


def _path_of(node: Any) -> str | None:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [entry[0] for entry in stack.values()]
    return str(paths[-1]) if paths and paths[-1] else None


def _quantize(network: Any, job: Job) -> Any:
    nncf = installed("nncf", NAME)
    feeds = [[tensor.numpy() for tensor in feed] for feed in job.feeds]
    return nncf.quantize(network, nncf.Dataset(feeds), subset_size=len(feeds))


def load(job: Job, file: Path) -> Executable:
    """The compiled network; a call hands tensors over without copying them.

    Raises:
        ExportError: it is no OpenVINO model, or this CPU has no kernels of the precision.
    """
    openvino = installed(NAME, NAME)
    settings = {
        "INFERENCE_NUM_THREADS": job.threads,
        "INFERENCE_PRECISION_HINT": HINTS[job.precision],
        "NUM_STREAMS": 1,
    }
    with explained_export(job, "load"):
        compiled = openvino.Core().compile_model(str(file), "CPU", settings)
        layers = _layers(compiled, job.precision)
    binding = job.binding
    taken, given = len(compiled.inputs), len(binding.tensors(*job.ordered))
    if taken != given:
        raise ExportError(
            f"{NAME} takes {taken} of the {given} inputs of {type(job.model).__name__}: its answer "
            "does not depend on the others",
            hint="leave out the inputs that the model does not use",
        )
    request, places = compiled.create_infer_request(), range(binding.answer_count)

    def call(*arguments: Any, **keywords: Any) -> Any:
        arrays = [tensor.numpy() for tensor in binding.tensors(arguments, keywords)]
        answer = request.infer(arrays, share_inputs=True)
        return binding.answer([torch.from_numpy(answer[place]) for place in places])

    return Executable(
        call=call,
        version=openvino.__version__.partition("-")[0],
        layers=layers,
    )


def _layers(compiled: Any, precision: str) -> Layers:
    """How the layers of the network run."""
    count, fell_back = 0, []
    for operation in compiled.get_runtime_model().get_ordered_ops():
        facts = {key: _text(value) for key, value in operation.get_rt_info().items()}
        if facts.get("layerType") not in LAYERS:
            continue
        runs_as = facts.get("runtimePrecision", "")
        if runs_as in RUN_AS[precision]:
            count += 1
        else:
            names = facts.get("originalLayersNames", "").split(",")
            # Of the operations that were fused into it, some lost their layer's name on the way.
            paths = [name.partition(":")[0] for name in names if ":" in name]
            layer = (paths or names)[0]
            fell_back.append(LeftAlone(layer=layer, reason=f"runs in {runs_as}"))
    return Layers(as_asked_count=count, fell_back=tuple(fell_back))


def _text(value: Any) -> str:
    return str(value.astype(str)) if hasattr(value, "astype") else str(value)
