"""Compare trained models: accuracy image by image, joules in turns, and what training cost.

Each is a checkpoint, a run's folder, a part of a run's name, or MODEL@CHECKPOINT for a variant of
what was trained. All are evaluated on the same images in fp32. A difference in accuracy is judged
by McNemar's test on these images, joules by blocks measured in turns in this process. Folders of
runs without checkpoints are compared by what their results state.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.cli.options import add_sensors, positive, whole_number
from profiler.cli.progress import shown_progress
from profiler.cli.stdout import stdout_to_stderr
from profiler.errors import StoreError, UsageError
from profiler.values.codec import encode, profile_document
from profiler.values.plain_text import clean
from training.result import TrainingResult, read_result
from training.run_folder import BEST, is_run

from .options import add_json
from .output_folders import find_run

if TYPE_CHECKING:
    from training.evaluation.side_by_side import SideBySide

SCHEMA_VERSION = 2
DEFAULT_SECONDS = 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare`."""
    add = parser.add_argument
    add("models", nargs="+", metavar="CHECKPOINT", help="the others are put against the first")
    add("--data", metavar="SOURCE", help="labelled images (default: what the first learnt from)")
    add("--split", choices=("train", "validation", "test"), default="test",
        help="default: %(default)s")  # fmt: skip
    add("--batch-size", type=whole_number("--batch-size", 1), metavar="N",
        help="images of a measured call (default: 128)")  # fmt: skip
    add("--max-seconds", type=positive("--max-seconds"), default=DEFAULT_SECONDS, metavar="S",
        help="budget of the joules, for all together (default: 30)")  # fmt: skip
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add("--threads", type=whole_number("--threads", 1, 1024), metavar="N",
        help="CPU threads of torch")  # fmt: skip
    add_sensors(parser)
    add_json(parser)
    add("--quiet", action="store_true", help="nothing on stderr but errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One word of the command line.

    Args:
        label: what it is called.
        checkpoint: its weights; None for a run's folder without any.
        model: a variant that is asked for; None for what was trained.
        result: of its training; None where the checkpoint lies beside none.
    """

    label: str
    checkpoint: Path | None
    model: str | None = None
    result: TrainingResult | None = None


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate and measure what has weights, and print everything beside each other."""
    if len(arguments.models) < 2:
        raise UsageError("there is nothing to compare", hint="name at least two checkpoints")
    runs = [_resolve(word) for word in arguments.models]
    found = None
    if all(run.checkpoint is not None for run in runs):
        with stdout_to_stderr():
            found = _side_by_side(arguments, runs)
    elif (without := next((run for run in runs if run.result is None), None)) is not None:
        raise StoreError(
            f"the run in '{clean(without.label)}' has no result yet",
            hint=f"see how far it is with `python -m training ledger {clean(without.label)}`",
        )
    from .comparison_screen import against_first, render_comparison

    if arguments.json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "trainings": encode(against_first([run.result for run in runs])),
            "side_by_side": None if found is None else _document(found),
        }
        print(json.dumps(document, allow_nan=False, ensure_ascii=False))
        return 0
    print(render_comparison([(run.label, run.result) for run in runs], found), end="")
    return 0


def _resolve(word: str) -> ComparedRun:
    path, model = Path(word), None
    if not path.exists() and "@" in word:
        model, _, file = word.rpartition("@")
        path = Path(file)
        if not path.is_file():
            raise StoreError(
                f"there is no checkpoint '{clean(file)}'", hint="write MODEL@FILE.safetensors"
            )
    if path.is_file():
        is_of_run = is_run(path.parent) and model is None
        # Of a run's best weights its folder is the name: the file is called so in every run.
        label = str(path.parent) if is_of_run and path.name == BEST else word
        beside = read_result(path.parent) if is_of_run else None
        return ComparedRun(label=label, checkpoint=path, model=model, result=beside)
    folder = find_run(word)
    best = folder / BEST
    return ComparedRun(
        label=word, checkpoint=best if best.is_file() else None, result=read_result(folder)
    )


def _side_by_side(arguments: argparse.Namespace, runs: list[ComparedRun]) -> SideBySide:
    import torch

    from training.evaluation.side_by_side import BATCH_SIZE, Contestant, compare_checkpoints

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    contestants = [
        Contestant(label=run.label, checkpoint=run.checkpoint, model=run.model)
        for run in runs
        if run.checkpoint is not None
    ]
    with shown_progress("comparing", arguments.quiet) as progress:
        return compare_checkpoints(
            contestants,
            data=arguments.data,
            split=arguments.split,
            device=arguments.device,
            batch_size=arguments.batch_size or BATCH_SIZE,
            max_seconds=arguments.max_seconds,
            progress=progress,
        )


def _document(found: SideBySide) -> dict[str, Any]:
    return {
        "data": found.data,
        "models": [
            {
                "label": result.label,
                "profile": profile_document(result.profile),
                "per_class": encode(result.per_class),
            }
            for result in found.results
        ],
        "comparisons": [
            {"ratios": encode({row.key: row for row in one.ratios}),
             "findings": encode(one.findings)}
            for one in found.comparisons
        ],
    }  # fmt: skip
