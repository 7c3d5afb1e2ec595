"""Measure models on one device: joules, latency, power, memory and carbon of inference.

Each batch size is a run of its own, shared by several fresh processes. It is repeated until the
95 % intervals of latency and joules are within --precision, or until --max-seconds are spent; the
run says which of the two it was. Several --model are measured in turns, block by block, until their
ratios to the first are as narrow as that.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import UsageError
from profiler.files import check_writable
from profiler.runtimes import is_outside_torch

from .call_inputs import add_inputs, batch_sizes
from .decoding import add_decoding, check_decoding
from .layer_pass import layers_here, layers_there, with_layers
from .options import (
    DTYPES,
    add_carbon,
    add_codecarbon,
    add_model,
    add_runtime,
    add_sensors,
    add_stopping,
    chosen_codecarbon,
    whole_number,
)
from .repetition import add_repetition, check_repetition, fresh_processes
from .stdout import stdout_to_stderr
from .workload import load_requests, names_of, options_of, pairs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profiler.machine.codecarbon_tracker import CodeCarbonOptions
    from profiler.measurement.conduct import Conditions
    from profiler.measurement.protocol import Progress
    from profiler.measurement.workers import Prepared
    from profiler.values.layer_report import LayerReport
    from profiler.values.profile import CarbonFactors, Profile

DEFAULT_BATCH_SIZES = (1, 128)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `measure`."""
    add_model(parser, several=True)
    add_inputs(parser)
    add_decoding(parser)
    add = parser.add_argument
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N, xpu:N or auto")
    add(
        "--batch-size",
        type=whole_number("--batch-size", 1),
        nargs="+",
        metavar="N",
        help="items in a call; several are measured one after the other (default: 1 and 128)",
    )
    add_stopping(parser, share=0.02, budget_s=30.0, of="each batch size, for all models together")
    _add_execution(parser)
    add(
        "--layers",
        action="store_true",
        help="measure every layer as well, within --max-seconds more (see `layers`)",
    )
    add(
        "--checkpoint",
        type=Path,
        action="append",
        metavar="FILE",
        help="weights: safetensors, or a state dict; with several --model, one for each",
    )
    add(
        "--name",
        action="append",
        metavar="NAME",
        help="what the run is called (default: the model's name); with several --model, one each",
    )
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N", help="default: 0")
    add_sensors(parser)
    add_repetition(parser)
    add_carbon(parser)
    add_codecarbon(parser)
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="where the run is written")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")
    add("--quiet", action="store_true", help="no progress and no notes on stderr")


def _add_execution(parser: argparse.ArgumentParser) -> None:
    """How the model is run."""
    add = parser.add_argument
    add(
        "--dtype",
        choices=DTYPES,
        help="type of the numbers (default: fp32, or what a transform has set)",
    )
    add("--channels-last", action="store_true", help="channels-last memory format")
    add_runtime(
        parser,
        "what executes the model, its answers held against eager torch's first (default: eager; "
        "compile for +int8); with another one, +int8 is that run-time's own",
    )
    add("--compile", action="store_true", help="the same as --runtime compile")
    add(
        "--threads",
        type=whole_number("--threads", 1, 1024),
        metavar="N",
        help="CPU threads of torch",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Measure, store and print."""
    from profiler.machine.carbon import carbon_factors
    from profiler.store import save_run

    carbon = carbon_factors(
        country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
    )
    codecarbon = chosen_codecarbon(arguments)
    _check(arguments)
    sizes = batch_sizes(arguments, DEFAULT_BATCH_SIZES)
    check_writable(arguments.out)
    profiles: list[Profile] = []
    paths: list[str] = []
    try:
        with stdout_to_stderr():
            for batch_size in sizes:
                for profile in _measure(arguments, batch_size, carbon, codecarbon):
                    paths.append(str(save_run(profile, arguments.out)))
                    profiles.append(profile)
                    if arguments.json and not arguments.quiet:
                        print(f"stored in {paths[-1]}", file=sys.stderr)
    except KeyboardInterrupt:
        kept = f"kept {', '.join(paths)}; the run under way is dropped"
        print(kept if paths else "nothing was stored", file=sys.stderr)
        raise
    _print(arguments, profiles, paths)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    _check_runtime(arguments)
    check_repetition(arguments)
    check_decoding(arguments)
    pairs_of(arguments.model, arguments.checkpoint)
    names_of(arguments.model, arguments.name)


def _check_runtime(arguments: argparse.Namespace) -> None:
    """Let --compile be the run-time that it names, and refuse what does not go together."""
    if arguments.compile:
        if arguments.runtime not in (None, "compile"):
            raise UsageError(
                f"--compile and --runtime {arguments.runtime} are two run-times",
                hint="leave out one of the two",
            )
        arguments.runtime = "compile"
    if arguments.layers and arguments.runtime not in (None, "eager"):
        flag = "--compile" if arguments.compile else f"--runtime {arguments.runtime}"
        raise UsageError(
            f"--layers cannot look into a model that {flag} has made one piece",
            hint="leave out one of the two",
        )
    if is_outside_torch(arguments.runtime) and arguments.dtype not in (None, "fp32"):
        raise UsageError(
            f"--dtype {arguments.dtype} is a precision of torch's tensors, and "
            f"{arguments.runtime} takes fp32",
            hint=f"write it as a transform: --model {arguments.model[0]}+{arguments.dtype}",
        )


def _print(
    arguments: argparse.Namespace, profiles: Sequence[Profile], paths: Sequence[str]
) -> None:
    if arguments.json:
        from profiler.values.codec import profile_document

        documents = [profile_document(profile) for profile in profiles]
        print(json.dumps({"schema_version": profiles[0].schema_version, "profiles": documents}))
    else:
        from profiler.cli.screen import render_brief

        sys.stdout.write(render_brief(profiles, paths))


def _measure(
    arguments: argparse.Namespace,
    batch_size: int,
    carbon: CarbonFactors,
    codecarbon: CodeCarbonOptions | None,
) -> list[Profile]:
    """All models at one batch size, in turns."""
    from profiler.measurement.conduct import Conditions
    from profiler.workload.stated_accuracy import with_accuracy

    from .progress import shown_progress

    title = f"{' and '.join(arguments.model)}, batch {batch_size}"
    with shown_progress(title, arguments.quiet) as progress:
        conditions = Conditions(
            precision=arguments.precision,
            max_seconds=arguments.max_seconds,
            seed=arguments.seed,
            carbon=carbon,
            codecarbon=codecarbon,
            progress=progress,
        )
        measured, reports = _in_processes(arguments, batch_size, conditions, progress)
    profiles = []
    # A model is one workload, or with --cache-length several.
    each = len(measured) // len(arguments.model)
    checkpoints = arguments.checkpoint or [None] * len(arguments.model)
    for number, profile in enumerate(measured):
        weights = checkpoints[number // each]
        if reports is not None:
            profile = with_layers(profile, reports[number])
        profiles.append(profile if weights is None else with_accuracy(profile, weights))
    return profiles


def _in_processes(
    arguments: argparse.Namespace, batch_size: int, conditions: Conditions, progress: Progress
) -> tuple[tuple[Profile, ...], list[LayerReport] | None]:
    """Profiles, and the reports of their layers where these are asked for."""
    options = options_of(arguments, batch_size)
    if arguments.processes == 1:
        from profiler.measurement.model import measure_here

        profiles = measure_here(load_requests(options), conditions)
        return profiles, layers_here(options, progress) if arguments.layers else None
    from profiler.measurement.workers import measure_in_processes

    def follow_up(crew: Prepared) -> list[LayerReport]:
        return layers_there(crew, options, progress)

    fresh = fresh_processes(arguments, options)
    return measure_in_processes(fresh, conditions, follow_up if arguments.layers else None)
