"""The table of run-times: what each one is and takes. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from profiler.errors import ExportError, UsageError
from profiler.values.plain_text import one_line

EAGER, COMPILE = "eager", "compile"
ALL_PRECISIONS = ("fp32", "bf16", "fp16", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One way to execute a model.

    Args:
        home: the module of this room with `export(job, folder)` and `load(job, file)`.
        summary: one line.
        precisions: that it has kernels for, at least on some CPUs.
        is_torch: whether torch runs the module itself, on any device; others run a file, on the
            CPU.
        takes_any_batch: whether what it loads can be called with batches of any length.
        suffix: of the file that it deploys; None where there is none.
        packages: what must be installed, by the names that are imported.
        int8_packages: what int8 needs besides.
    """

    home: str
    summary: str
    precisions: tuple[str, ...] = ALL_PRECISIONS
    is_torch: bool = False
    takes_any_batch: bool = True
    suffix: str | None = None
    packages: tuple[str, ...] = ()
    int8_packages: tuple[str, ...] = ()


RUNTIMES: dict[str, Runtime] = {
    EAGER: Runtime(
        home="eager",
        summary="torch, operator by operator",
        precisions=("fp32", "bf16", "fp16"),
        is_torch=True,
    ),
    COMPILE: Runtime(
        home="compile",
        summary="torch.compile; int8 by torchao on inductor's kernels",
        is_torch=True,
        takes_any_batch=False,
    ),
    "onnxruntime": Runtime(
        home="onnxruntime",
        summary="an .onnx file on ONNX Runtime's CPU kernels",
        precisions=("fp32", "int8"),
        suffix=".onnx",
        packages=("onnxruntime", "onnx", "onnxscript"),
    ),
    "openvino": Runtime(
        home="openvino",
        summary="OpenVINO's intermediate representation (.xml and .bin); int8 by NNCF",
        suffix=".xml",
        packages=("openvino",),
        int8_packages=("nncf",),
    ),
    "executorch": Runtime(
        home="executorch",
        summary="a .pte file for phones and edge devices, on XNNPACK's kernels; one batch size",
        precisions=("fp32", "int8"),
        takes_any_batch=False,
        suffix=".pte",
        packages=("executorch", "torchao"),
    ),
}


def find(name: str) -> Runtime:
    """The table's entry.

    Raises:
        UsageError: there is none; it names the nearest.
    """
    if name not in RUNTIMES:
        close = difflib.get_close_matches(name, RUNTIMES, n=1, cutoff=0.5)
        nearest = f"; nearest: {close[0]}" if close else ""
        raise UsageError(
            f"there is no run-time '{name}'{nearest}",
            hint=f"the run-times are {', '.join(RUNTIMES)}",
        )
    return RUNTIMES[name]


def is_outside_torch(name: str | None) -> bool:
    """Whether a run-time, None for torch's default, is not torch."""
    return name is not None and not find(name).is_torch


def check(name: str, *, precision: str, device: str) -> None:
    """Refuse what a run-time does not do, before minutes of work.

    Raises:
        UsageError: it has no kernels of this precision, or not on this device.
        ExportError: it is not installed.
    """
    found = find(name)
    if precision not in found.precisions:
        hint = f"leave it out, or --runtime {' or '.join(_with(precision)) or COMPILE}"
        raise UsageError(f"{name} does not run models in {precision}", hint=hint)
    if not found.is_torch and device != "cpu":
        raise UsageError(
            f"{name} is run on the CPU here, not on {device}",
            hint="--device cpu, or --runtime compile",
        )
    for package in (*found.packages, *(found.int8_packages if precision == "int8" else ())):
        installed(package, name)


def installed(package: str, runtime: str) -> Any:
    """Import what a run-time is made of.

    Raises:
        ExportError: it cannot be imported.
    """
    from profiler.workload.quantized import quiet_libraries

    from .silence import without_telemetry

    try:
        with quiet_libraries(), without_telemetry():
            return import_module(package)
    except ImportError as error:
        raise ExportError(
            f"--runtime {runtime} needs {package.partition('.')[0]}, which cannot be imported "
            f"({one_line(error)})",
            hint=f'pip install "wattprof[{runtime}]"',
        ) from error


def _with(precision: str) -> list[str]:
    return [name for name, item in RUNTIMES.items() if precision in item.precisions]
