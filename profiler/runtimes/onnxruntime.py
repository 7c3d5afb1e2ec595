"""`onnxruntime`: an ONNX file on ONNX Runtime's CPU kernels.

int8 is static: unsigned activations, signed weights per channel, which is what its kernels for x86
multiply fastest; ranges are the least and the largest value seen in calibration. Where the CPU has
AVX2 without VNNI, weights take 7 bits.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from profiler.errors import ExportError
from profiler.machine.environment import cpu_flags
from profiler.values.applied_transform import LeftAlone
from profiler.variants.pt2e import saturates

from .job import Executable, Exported, Job, Layers, explained_export
from .table import installed

NAME = "onnxruntime"
SCOPES = "pkg.torch.onnx.name_scopes"
FLOAT_LAYERS = frozenset({"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"})
INT8_LAYERS = frozenset(
    {
        "QLinearConv",
        "QGemm",
        "QLinearMatMul",
        "ConvInteger",
        "MatMulInteger",
        "MatMulIntegerToFloat",
    }
)
SPINNING = "session.intra_op.allow_spinning"
ERRORS_ONLY = 3


def export(job: Job, folder: Path) -> Exported:
    """Write model.onnx, quantized where that is asked for, with any batch.

    Raises:
        ExportError: an operator has no ONNX form, or cannot be quantized.
    """
    file = folder / "model.onnx"
    program = job.program
    with explained_export(job, "export"):
        onnx_program: Any = torch.onnx.export(program, dynamo=True, verbose=False)
        _name_by_layer(onnx_program)
        onnx_program.save(str(file))
    if job.precision == "int8":
        _quantize(job, file)
    return Exported(file=file)


def _name_by_layer(program: Any) -> None:
    """Begin every node's name with the path of its layer, which later steps keep."""
    for node in program.model.graph:
        scopes = ast.literal_eval(node.metadata_props.get(SCOPES, "[]"))
        node.name = f"{scopes[-2] if len(scopes) > 1 else ''}/{node.name}"


class _Reader:
    """Hands calibration inputs over, one call after the other, as the quantizer asks for them."""

    def __init__(self, names: list[str], feeds: Iterator[list[torch.Tensor]]) -> None:
        self.names, self.feeds = names, feeds

    def get_next(self) -> dict[str, Any] | None:
        feed = next(self.feeds, None)
        if feed is None:
            return None
        return {name: t.numpy() for name, t in zip(self.names, feed, strict=True)}


def _quantize(job: Job, file: Path) -> None:
    installed(NAME, NAME)
    with explained_export(job, "quantize"), TemporaryDirectory() as folder:
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        names = [item.name for item in _session(file, 1).get_inputs()]
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(file),
            _Reader(names, iter(job.feeds)),
            per_channel=True,
            reduce_range=saturates(cpu_flags()),
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )


def load(job: Job, file: Path) -> Executable:
    """The file's session; a call hands tensors over without copying them.

    Raises:
        ExportError: it is no ONNX model, or takes other inputs.
    """
    library = installed(NAME, NAME)
    with explained_export(job, "load"), TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        session = _session(file, job.threads, optimized)
        layers = _layers(optimized, job)
    names = [item.name for item in session.get_inputs()]
    binding, run = job.binding, session.run
    given = binding.tensors(*job.ordered)
    if len(names) != len(given):
        raise ExportError(
            f"{NAME} takes {len(names)} of the {len(given)} inputs of {type(job.model).__name__}: "
            "its answer does not depend on the others",
            hint="leave out the inputs that the model does not use",
        )

    def call(*arguments: Any, **keywords: Any) -> Any:
        tensors = binding.tensors(arguments, keywords)
        feed = {name: t.numpy() for name, t in zip(names, tensors, strict=True)}
        return binding.answer([torch.from_numpy(array) for array in run(None, feed)])

    return Executable(call=call, version=library.__version__, layers=layers)


def _session(file: Path, threads: int, optimized: Path | None = None) -> Any:
    """A session on so many threads, which sleep while they have nothing to do."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry(SPINNING, "0")
    options.log_severity_level = ERRORS_ONLY
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _layers(optimized: Path, job: Job) -> Layers:
    """How the layers run in the graph as the session has rewritten it."""
    import onnx

    nodes = onnx.load(str(optimized), load_external_data=False).graph.node
    in_float = [node for node in nodes if node.op_type in FLOAT_LAYERS]
    if job.precision != "int8":
        return Layers(as_asked_count=len(in_float))
    return Layers(
        as_asked_count=sum(node.op_type in INT8_LAYERS for node in nodes),
        fell_back=tuple(
            LeftAlone(layer=_path(node.name), reason=f"runs in fp32 ({node.op_type})")
            for node in in_float
        ),
    )


def _path(name: str) -> str:
    path, _, operator = name.partition("/")
    return path or re.sub(r"_token_\d+$", "", operator)
