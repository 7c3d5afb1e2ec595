"""Measure one model on one device: joules, latency, power, memory and carbon of inference.

Each batch size is a run of its own. It is repeated until the 95 % intervals of latency and joules
are within --precision, or until --max-seconds are spent; the run says which of the two it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import UsageError
from profiler.files import check_writable

from .call_inputs import add_inputs, batch_sizes, load_call
from .decoding import add_decoding, workloads_of
from .options import (
    DTYPES,
    add_carbon,
    add_codecarbon,
    add_model,
    chosen_codecarbon,
    precision,
    seconds,
    whole_number,
)
from .stdout import stdout_to_stderr
from .workload import load_target

if TYPE_CHECKING:
    from profiler.machine.codecarbon_tracker import CodeCarbonOptions
    from profiler.values.profile import CarbonFactors, Profile
    from profiler.workload.target import Target

DEFAULT_BATCH_SIZES = (1, 128)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `measure`."""
    add_model(parser)
    add_inputs(parser)
    add_decoding(parser)
    add = parser.add_argument
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add(
        "--batch-size",
        type=whole_number("--batch-size", 1),
        nargs="+",
        metavar="N",
        help="items in a call; several are measured one after the other (default: 1 and 128)",
    )
    add(
        "--precision",
        type=precision,
        default=0.02,
        metavar="P",
        help="stop when the intervals are within this share of the value (default: 0.02)",
    )
    add(
        "--max-seconds",
        type=seconds,
        default=30.0,
        metavar="S",
        help="budget of each batch size (default: 30)",
    )
    add("--dtype", choices=DTYPES, default="fp32", help="type of the numbers (default: fp32)")
    add("--channels-last", action="store_true", help="channels-last memory format")
    add("--compile", action="store_true", help="run through torch.compile")
    add(
        "--threads",
        type=whole_number("--threads", 1, 1024),
        metavar="N",
        help="CPU threads of torch",
    )
    add(
        "--layers",
        action="store_true",
        help="measure every layer as well, within --max-seconds more (see `layers`)",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="weights: safetensors, or a state dict")
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N", help="default: 0")
    add_carbon(parser)
    add_codecarbon(parser)
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="where the run is written")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")
    add("--quiet", action="store_true", help="no progress and no notes on stderr")


def execute(arguments: argparse.Namespace) -> int:
    """Measure, store and print."""
    from profiler.machine.carbon import carbon_factors
    from profiler.store import save_run
    from profiler.values.codec import profile_document

    carbon = carbon_factors(
        country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
    )
    if arguments.layers and arguments.compile:
        raise UsageError(
            "--layers cannot look into a model that --compile has made one piece",
            hint="leave out one of the two",
        )
    codecarbon = chosen_codecarbon(arguments)
    sizes = batch_sizes(arguments, DEFAULT_BATCH_SIZES)
    check_writable(arguments.out)
    profiles, paths = [], []
    with stdout_to_stderr():
        targets = workloads_of(arguments, load_target(arguments))
        for batch_size, target in product(sizes, targets):
            profile = _measure(arguments, target, batch_size, carbon, codecarbon)
            if arguments.layers:
                profile = _with_layers(arguments, target, profile, batch_size)
            paths.append(str(save_run(profile, arguments.out)))
            profiles.append(profile)
            if arguments.json and not arguments.quiet:
                print(f"stored in {paths[-1]}", file=sys.stderr)
    if arguments.json:
        documents = [profile_document(profile) for profile in profiles]
        print(json.dumps({"schema_version": profiles[0].schema_version, "profiles": documents}))
    else:
        from profiler.cli.screen import render_brief

        sys.stdout.write(render_brief(profiles, paths))
    return 0


def _measure(
    arguments: argparse.Namespace,
    target: Target,
    batch_size: int,
    carbon: CarbonFactors,
    codecarbon: CodeCarbonOptions | None,
) -> Profile:
    from profiler.measurement.model import measure
    from profiler.values.profile import Workload
    from profiler.workload.stated_accuracy import with_accuracy

    from .progress import shown_progress

    given = load_call(arguments, target, batch_size)
    workload = Workload(
        model=arguments.model,
        device=arguments.device,
        data=given.description,
        checkpoint=None if arguments.checkpoint is None else arguments.checkpoint.name,
        class_count=arguments.classes,
        item=given.item,
    )
    with shown_progress(f"{target.name}, batch {batch_size}", arguments.quiet) as progress:
        profile = measure(
            target.model,
            given.inputs,
            name=target.name,
            device=arguments.device,
            dtype=arguments.dtype,
            batch_size=given.item_count,
            precision=arguments.precision,
            max_seconds=arguments.max_seconds,
            channels_last=arguments.channels_last,
            compiled=arguments.compile,
            seed=arguments.seed,
            carbon=carbon,
            workload=workload,
            codecarbon=codecarbon or False,
            progress=progress,
        )
    return profile if arguments.checkpoint is None else with_accuracy(profile, arguments.checkpoint)


def _with_layers(
    arguments: argparse.Namespace, target: Target, profile: Profile, batch_size: int
) -> Profile:
    """The profile with seconds and joules in its layers, and how these add up as a finding."""
    from profiler.layers import measure_layers

    from .progress import shown_progress

    given = load_call(arguments, target, batch_size)
    title = f"layers of {target.name}, {given.description}"
    with shown_progress(title, arguments.quiet) as progress:
        report = measure_layers(
            target.model,
            given.inputs,
            name=target.name,
            device=arguments.device,
            dtype=arguments.dtype,
            channels_last=arguments.channels_last,
            max_seconds=arguments.max_seconds,
            seed=arguments.seed,
            progress=progress,
        )
    findings = (*profile.findings, *report.findings, report.closure_finding())
    return replace(profile, layers=report.layers, findings=tuple(dict.fromkeys(findings)))
