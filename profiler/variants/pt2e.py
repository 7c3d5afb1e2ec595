"""What post-training quantization and training with rounding share: torchao's export flow."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import torch
from torch import nn

from profiler.errors import TransformError
from profiler.interruption import heed_interruption
from profiler.machine.environment import cpu_flags
from profiler.values.applied_transform import LeftAlone
from profiler.values.plain_text import one_line
from profiler.workload.prepared import map_tensors
from profiler.workload.quantized import QuantizedModule, quiet_libraries

from .material import Inputs, Material, running_layer

PACKAGE = "torchao.quantization.pt2e"
VNNI_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
CALLS = frozenset({"conv1d", "conv2d", "conv3d", "linear", "addmm", "matmul", "bmm", "mm"})
CALL = "@call"
ATTENTION = "scaled_dot_product_attention"


def check_kernels(material: Material) -> tuple[str, ...]:
    """What to know about int8 kernels on the device.

    Raises:
        TransformError: there are none.
    """
    if torch.device(material.device).type != "cpu":
        raise TransformError(
            f"{material.name} is not available on {material.device}: torchao has no int8 kernel "
            "for convolutions there, and what is only simulated is not measured",
            hint="--device cpu, or +bf16 in its place",
        )
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise TransformError(
            f"{material.name} is not available on {platform.machine()}: inductor's int8 kernels "
            "are for x86 CPUs",
            hint="use +bf16 in its place",
        )
    compiler = os.environ.get("CXX") or "g++"
    if shutil.which(compiler) is None and shutil.which("clang++") is None:
        raise TransformError(
            f"{material.name} compiles its kernels, and there is no C++ compiler '{compiler}'",
            hint="apt-get install g++",
        )
    flags = cpu_flags()
    if flags and not flags & VNNI_FLAGS:
        return (
            f"this CPU has no VNNI, which the kernels of {material.name} are made for: its gain is "
            "smaller than on one that has",
        )
    return ()


def quantizer(material: Material, *, is_qat: bool) -> Any:
    """Torchao's quantizer for x86, with its default configuration."""
    backend = material.needs(f"{PACKAGE}.quantizer.x86_inductor_quantizer")
    chosen = backend.X86InductorQuantizer()
    chosen.set_global(backend.get_default_x86_inductor_quantization_config(is_qat=is_qat))
    return chosen


def export(model: nn.Module, example: Inputs, material: Material, *, least: int) -> Any:
    """The model as a graph of operators, for any batch of at least `least` items.

    Raises:
        TransformError: it cannot be exported; the error names the layer where it failed.
    """
    batch = torch.export.Dim("batch", min=least)
    size = _batch_size(example)

    def axes(tensor: torch.Tensor) -> Any:
        return {0: batch} if tensor.ndim and len(tensor) == size else {}

    arguments, keywords = example
    shapes = map_tensors(axes, (arguments, keywords))
    with running_layer(model) as path, quiet_libraries():
        try:
            exported = torch.export.export(
                model, arguments, keywords, dynamic_shapes=_by_name(model, *shapes)
            )
            graph = exported.module(check_guards=False)
        # Whatever the user's code makes of symbolic shapes.
        except Exception as error:
            heed_interruption(error)
            where = f"layer '{path[-1]}'" if path and path[-1] else type(model).__name__
            raise TransformError(
                f"{material.name} cannot export {where}: {one_line(error)[:200]}",
                hint="see torch.export's limits, or leave it out for this model",
            ) from error
    separate_calls(graph)
    return graph


def _batch_size(example: Inputs) -> int:
    sizes: list[int] = []
    map_tensors(lambda tensor: sizes.append(len(tensor)) or tensor, example)  # type: ignore[func-returns-value]
    return sizes[0]


def _by_name(model: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return (*positional, *keywords.values()) if keywords else positional


def separate_calls(graph: torch.fx.GraphModule) -> None:
    """Let a module that is called in several places look like one for each.

    torchao looks for patterns by the module that an operator comes from, and takes the calls of one
    `nn.ReLU` in two places for a single pattern with two outputs, which it refuses.
    """
    seen: dict[tuple[str, Any], int] = {}
    for node in graph.graph.nodes:
        stack = node.meta.get("nn_module_stack")
        if node.op != "call_function" or not stack:
            continue
        innermost = list(stack)[-1]
        path, kind = stack[innermost]
        count = seen[path, node.target] = seen.get((path, node.target), 0) + 1
        if count > 1:
            node.meta["nn_module_stack"] = {**stack, innermost: (f"{path}{CALL}{count}", kind)}


def observe(graph: nn.Module, material: Material) -> None:
    """Show a prepared graph the calibration inputs."""
    with torch.no_grad():
        for arguments, keywords in material.batches:
            graph(*arguments, **keywords)


def convert(graph: Any, material: Material) -> tuple[QuantizedModule, tuple[LeftAlone, ...]]:
    """Integer weights in the place of observed ones, and the layers that stayed in float.

    The float weights that the graph no longer reads are dropped.
    """
    with quiet_libraries():
        converted = material.needs(f"{PACKAGE}.quantize_pt2e").convert_pt2e(graph)
    read = {
        id(attrgetter(str(node.target))(converted))
        for node in converted.graph.nodes
        if node.op == "get_attr"
    }
    for module in converted.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            parameter.requires_grad_(False)
            if id(parameter) not in read:
                delattr(module, name)
    return QuantizedModule(converted), _left_in_float(converted)


def _left_in_float(graph: torch.fx.GraphModule) -> tuple[LeftAlone, ...]:
    found = {}
    for node in graph.graph.nodes:
        operator = str(node.target).split(".")[1:2]
        if node.op != "call_function" or not operator or operator[0] not in CALLS | {ATTENTION}:
            continue
        sources = [item for item in node.all_input_nodes[:2]]
        if not all("dequantize" in str(source.target) for source in sources):
            found[_path_of(node)] = f"stays in float: no int8 kernel is used for its {operator[0]}"
    return tuple(LeftAlone(layer=path, reason=reason) for path, reason in found.items())


def _path_of(node: torch.fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [entry[0] for entry in stack.values()]
    return str(paths[-1]).partition(CALL)[0] if paths and paths[-1] else node.name


@contextmanager
def refused(material: Material, model: nn.Module) -> Iterator[None]:
    """Explains what torchao's patterns run into."""
    try:
        yield
    except Exception as error:
        heed_interruption(error)
        raise TransformError(
            f"{material.name} cannot quantize {type(model).__name__}: torchao raised "
            f"{one_line(error)[:200]}",
            hint="use +bf16 in its place, or another --runtime",
        ) from error
