"""Measure one model on one device: joules, latency, power, memory and carbon of inference.

Each batch size is a run of its own. It is repeated until the 95 % intervals of latency and joules
are within --precision, or until --max-seconds are spent; the run says which of the two it was.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import StoreError
from profiler.findings import Finding

from .options import add_carbon, add_model, precision, seconds, whole_number

if TYPE_CHECKING:
    from profiler.profile import CarbonFactors, Profile
    from profiler.target import Target

DEFAULT_BATCH_SIZES = (1, 128)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `measure`."""
    add_model(parser)
    add = parser.add_argument
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add(
        "--batch-size",
        type=whole_number("--batch-size", 1),
        nargs="+",
        metavar="N",
        help="items in a call; several are measured one after the other (default: 1 and 128)",
    )
    add("--precision", type=precision, default=0.02, metavar="P", help="default: 0.02")
    add(
        "--max-seconds",
        type=seconds,
        default=30.0,
        metavar="S",
        help="budget of each batch size (default: 30)",
    )
    add(
        "--data",
        default="digits",
        metavar="SOURCE",
        help="digits (the default), cifar10, cifar100, parquet:PATH, folder:PATH or synthetic",
    )
    add("--dtype", choices=("fp32", "bf16", "fp16"), default="fp32", help="default: fp32")
    add("--channels-last", action="store_true", help="channels-last memory format")
    add("--compile", action="store_true", help="run through torch.compile")
    add("--threads", type=whole_number("--threads", 1), metavar="N", help="CPU threads of torch")
    add("--checkpoint", type=Path, metavar="FILE", help="weights: safetensors, or a state dict")
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N", help="default: 0")
    add_carbon(parser)
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="where the run is written")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")
    add("--quiet", action="store_true", help="no progress and no notes on stderr")


def execute(arguments: argparse.Namespace) -> int:
    """Measure, store and print."""
    from profiler.carbon import carbon_factors
    from profiler.store import profile_document, save_run

    carbon = carbon_factors(
        country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
    )
    _check_writable(arguments.out)
    target, notes = _load(arguments)
    profiles = []
    for batch_size in arguments.batch_size or DEFAULT_BATCH_SIZES:
        profile = _measure(arguments, target, notes, batch_size, carbon)
        path = save_run(profile, arguments.out)
        profiles.append(profile)
        if not arguments.quiet:
            print(f"wrote {path}", file=sys.stderr)
    if arguments.json:
        documents = [profile_document(profile) for profile in profiles]
        print(json.dumps({"schema_version": profiles[0].schema_version, "profiles": documents}))
    else:
        from profiler.render import render_profiles

        sys.stdout.write(render_profiles(profiles, "text"))
    return 0


def _check_writable(folder: Path) -> None:
    """Before minutes of measuring: the run can be written at the end."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise StoreError(
            f"runs cannot be written to {folder}", hint="name a folder of yours with --out"
        )


def _load(arguments: argparse.Namespace) -> tuple[Target, tuple[Finding, ...]]:
    """The model, seeded, with its weights."""
    import torch

    from profiler.checkpoint import load_weights
    from profiler.device import find_device
    from profiler.target import resolve

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    find_device(arguments.device)
    torch.manual_seed(arguments.seed)
    target = resolve(arguments.model, num_classes=arguments.classes)
    if arguments.checkpoint is not None:
        load_weights(target.model, arguments.checkpoint)
    return target, ()


def _measure(
    arguments: argparse.Namespace,
    target: Target,
    notes: tuple[Finding, ...],
    batch_size: int,
    carbon: CarbonFactors,
) -> Profile:
    from profiler.inputs import load_inputs
    from profiler.measurement import measure
    from profiler.profile import Workload

    from .progress import shown_progress

    item_shape = arguments.input_shape or target.input_shape or (3, 32, 32)
    batch = load_inputs(
        arguments.data, batch_size=batch_size, input_shape=item_shape, seed=arguments.seed
    )
    workload = Workload(
        model=arguments.model,
        device=arguments.device,
        data=batch.description,
        checkpoint=None if arguments.checkpoint is None else arguments.checkpoint.name,
    )
    with shown_progress(f"{target.name}, batch {batch_size}", arguments.quiet) as progress:
        profile = measure(
            target.model,
            batch.images,
            name=target.name,
            device=arguments.device,
            dtype=arguments.dtype,
            batch_size=batch_size,
            precision=arguments.precision,
            max_seconds=arguments.max_seconds,
            channels_last=arguments.channels_last,
            compiled=arguments.compile,
            seed=arguments.seed,
            carbon=carbon,
            workload=workload,
            progress=progress,
        )
    return replace(profile, findings=(*notes, *profile.findings))
