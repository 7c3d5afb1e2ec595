"""`executorch`: a .pte file for edge devices, on XNNPACK's kernels; int8 by XNNPACK's quantizer.

The file takes the batch size that it was exported with: its memory is planned for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from profiler.values.applied_transform import LeftAlone
from profiler.variants.material import Material
from profiler.variants.pt2e import export as export_graph

from .job import Executable, Exported, Job, Layers, explained_export, with_items
from .table import installed

NAME = "executorch"
LAYERS = frozenset({"convolution", "addmm", "mm", "bmm", "linear"})
DELEGATE = "executorch_call_delegate"


def export(job: Job, folder: Path) -> Exported:
    """Write model.pte, quantized where that is asked for, for the batch size of the inputs.

    Raises:
        ExportError: an operator cannot be exported, lowered or quantized.
    """
    installed(NAME, NAME)
    file = folder / "model.pte"
    program = _quantized(job) if job.precision == "int8" else _fixed(job.model, job)
    with explained_export(job, "export"):
        edge = _lowered(program)
        layers = _layers(edge.exported_program().graph_module, job.precision)
        file.write_bytes(edge.to_executorch().buffer)
    return Exported(file=file, layers=layers)


def _fixed(model: Any, job: Job) -> Any:
    """The model as torch exports it for the very shapes of the inputs."""
    arguments, keywords = job.ordered
    with explained_export(job, "export"):
        return torch.export.export(model, arguments, keywords)


def _lowered(program: Any) -> Any:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    return to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])


def _quantized(job: Job) -> Any:
    material = Material(name=f"--runtime {NAME}", is_trained=True)
    graph = export_graph(job.model, with_items(job.ordered, 2), material, least=1)
    with explained_export(job, "quantize"):
        from executorch.backends.xnnpack.quantizer import xnnpack_quantizer
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        quantizer = xnnpack_quantizer.XNNPACKQuantizer()
        # The others are of networks in training, which none is here; to trace them takes longer
        # than all the rest of the quantization.
        quantizer.SUPPORTED_PATTERNS = [
            pattern for pattern in quantizer.SUPPORTED_PATTERNS if not pattern.is_qat
        ]
        quantizer.set_global(
            xnnpack_quantizer.get_symmetric_quantization_config(is_per_channel=True)
        )
        prepared = prepare_pt2e(graph, quantizer)
        for arguments, keywords in job.calibration:
            prepared(*arguments, **keywords)
        converted = convert_pt2e(prepared)
    return _fixed(converted, job)


def _layers(graph: Any, precision: str) -> Layers:
    """How the layers of the lowered graph will run: in XNNPACK or outside, in which precision."""
    as_asked, fell_back = 0, []
    for node in graph.graph.nodes:
        if node.op == "call_function" and _operator(node) and DELEGATE not in str(node.target):
            reason = f"runs on portable kernels ({_operator(node)})"
            fell_back.append(LeftAlone(layer=_path_of(node), reason=reason))
    for inner in graph.children():
        if not hasattr(inner, "original_module"):
            continue
        for node in inner.original_module.graph_module.graph.nodes:
            if node.op != "call_function" or _operator(node) not in LAYERS:
                continue
            if precision == "int8" and not any(
                "dequantize" in str(source.target) for source in node.all_input_nodes
            ):
                fell_back.append(LeftAlone(layer=_path_of(node), reason="runs in fp32"))
            else:
                as_asked += 1
    return Layers(as_asked_count=as_asked, fell_back=tuple(fell_back))


def _operator(node: Any) -> str:
    """The name of aten.convolution.default, "convolution"; "" for no operator of a model."""
    schema = getattr(node.target, "_schema", None)
    name = "" if schema is None else str(schema.name).partition("::")[2]
    return "" if name.startswith(("quantize", "dequantize")) else name


def _path_of(node: Any) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [entry[0] for entry in stack.values()]
    return str(paths[-1]) if paths and paths[-1] else "the model itself"


def load(job: Job, file: Path) -> Executable:
    """The file's method; threads are those of XNNPACK, which are one pool for the whole process.

    Raises:
        ExportError: it is no ExecuTorch program.
    """
    from importlib.metadata import version

    installed(NAME, NAME)
    with explained_export(job, "load"):
        from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
        from executorch.runtime import Runtime

        _unsafe_reset_threadpool(job.threads)
        program = Runtime.get().load_program(file.read_bytes())
        method = _Method(program, program.load_method("forward"))
    binding = job.binding

    def call(*arguments: Any, **keywords: Any) -> Any:
        return binding.answer(list(method.execute(binding.tensors(arguments, keywords))))

    return Executable(call=call, version=version(NAME))


class _Method:
    """A method with the program whose memory it reads: it does not keep it alive by itself."""

    def __init__(self, program: Any, method: Any) -> None:
        self.program = program
        self.execute = method.execute
