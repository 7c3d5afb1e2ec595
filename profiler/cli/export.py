"""Export a model to the file that a run-time deploys, read it back and check its answers.

The file is written only if the run-time, reading it, answers as eager torch does.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import UsageError
from profiler.files import check_writable
from profiler.runtimes import RUNTIMES, find

from .call_inputs import add_inputs, load_call
from .options import add_model, add_runtime, whole_number
from .stdout import stdout_to_stderr
from .workload import load_samples, load_target

if TYPE_CHECKING:
    from profiler.values.deployment import Deployment


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export`."""
    add_model(parser)
    add_inputs(parser)
    add_runtime(parser, "what will run the file: onnxruntime, openvino, executorch", required=True)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FILE", help=".onnx, .xml or .pte")
    add(
        "--batch-size",
        type=whole_number("--batch-size", 1),
        default=1,
        metavar="N",
        help="items in a call, for a run-time whose file takes one batch size (default: 1)",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="weights: safetensors, or a state dict")
    add(
        "--threads",
        type=whole_number("--threads", 1, 1024),
        metavar="N",
        help="CPU threads of the check",
    )
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N", help="default: 0")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")
    add("--quiet", action="store_true", help="no notes on stderr")


def execute(arguments: argparse.Namespace) -> int:
    """Export, check and print."""
    _check(arguments)
    check_writable(arguments.out.parent)
    if arguments.checkpoint is None and "@" not in arguments.model and not arguments.quiet:
        print("note: without --checkpoint the weights are random", file=sys.stderr)
    with stdout_to_stderr():
        files, deployment = _export(arguments)
    _print(arguments, files, deployment)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    suffix = find(arguments.runtime).suffix
    if suffix is None:
        with_files = [name for name, item in RUNTIMES.items() if item.suffix]
        raise UsageError(
            f"{arguments.runtime} leaves no file: torch runs the model itself",
            hint=f"--runtime {' or '.join(with_files)}",
        )
    if arguments.out.suffix != suffix:
        raise UsageError(
            f"{arguments.runtime} reads {suffix} files, and --out is '{arguments.out}'",
            hint=f"--out {arguments.out.with_suffix(suffix)}",
        )
    if arguments.out.is_dir():
        raise UsageError(f"--out '{arguments.out}' is a folder", hint="name a file in it")


def _export(arguments: argparse.Namespace) -> tuple[list[Path], Deployment]:
    from profiler.machine.device import find_device
    from profiler.runtimes.export import export_file
    from profiler.runtimes.table import check
    from profiler.workload.prepared import prepare

    check(arguments.runtime, precision="fp32", device="cpu")
    arguments.device = "cpu"
    target = load_target(arguments)
    given = load_call(arguments, target, arguments.batch_size)
    device = find_device(arguments.device)
    bench = prepare(target.model, given.inputs, device, runtime=arguments.runtime)
    samples = load_samples(arguments, target, given)
    return export_file(bench, device, arguments.runtime, arguments.out, samples=samples)


def _print(arguments: argparse.Namespace, files: list[Path], deployment: Deployment) -> None:
    if arguments.json:
        from profiler.values.codec import encode
        from profiler.values.profile import SCHEMA_VERSION

        document = {
            "schema_version": SCHEMA_VERSION,
            "model": arguments.model,
            "files": list(map(str, files)),
            "deployment": encode(deployment),
        }
        print(json.dumps(document, allow_nan=False))
        return
    from profiler.render.deployment_table import deployment_sentences
    from profiler.render.formats.text import paragraph
    from profiler.values.units import show

    lines = [
        *map(paragraph, deployment_sentences(deployment)),
        f"Exported and read back in {show(deployment.export_s)}, {show(deployment.file_bytes)}:",
        *map(str, files),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
