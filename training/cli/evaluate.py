"""How good a checkpoint is on a split of its data, by class, and what an image costs.

Top-1 and top-5 have Wilson intervals. The calibration error (15 bins) says how far the model's
confidence is from its share of right answers; beside it stands what a model that is calibrated
exactly would show on as many images. By class, accuracy is the share of its images that were
recognised (recall), precision the share of the guesses of it that were right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.cli.options import add_sensors, number, whole_number
from profiler.cli.stdout import stdout_to_stderr
from profiler.errors import UsageError

from .options import add_checkpoint, add_json

if TYPE_CHECKING:
    from training.evaluation.evaluation import Evaluation

SCHEMA_VERSION = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evaluate`."""
    add_checkpoint(parser)
    add = parser.add_argument
    add("--data", metavar="SOURCE", help="labelled images (default: what it was trained on)")
    add(
        "--split",
        choices=("train", "validation", "test"),
        default="test",
        help="validation is what the recipe held out (default: %(default)s)",
    )
    add(
        "--dtype",
        choices=("fp32", "bf16", "fp16"),
        help="of the forward pass (default: that of the training)",
    )
    add("--batch-size", type=whole_number("--batch-size", 1), metavar="N", help="images of a call")
    add(
        "--seconds",
        type=_seconds,
        metavar="S",
        help="how long joules and images per second are measured; 0 for not at all (default: 5)",
    )
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add(
        "--threads",
        type=whole_number("--threads", 1, 1024),
        metavar="N",
        help="CPU threads of torch",
    )
    add_sensors(parser)
    add(
        "--format",
        choices=tuple(FORMS),
        default="text",
        help="csv is a row a class, with what its images were taken for (default: %(default)s)",
    )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    with stdout_to_stderr():
        found = _evaluate(arguments)
    form = "json" if arguments.json else arguments.format
    sys.stdout.write(FORMS[form](arguments.checkpoint, found))
    return 0


def _text(checkpoint: Path, found: Evaluation) -> str:
    from .evaluation_screen import render_evaluation

    return render_evaluation(checkpoint, found)


def _json(checkpoint: Path, found: Evaluation) -> str:
    from profiler.values.codec import encode

    document = {
        "schema_version": SCHEMA_VERSION,
        "checkpoint": encode(str(checkpoint)),
        **encode(found),
    }
    return json.dumps(document, allow_nan=False, ensure_ascii=False) + "\n"


def _csv(checkpoint: Path, found: Evaluation) -> str:
    from .evaluation_screen import evaluation_csv

    return evaluation_csv(found)


FORMS: dict[str, Callable[[Path, Evaluation], str]] = {"text": _text, "json": _json, "csv": _csv}


def _evaluate(arguments: argparse.Namespace) -> Evaluation:
    import torch

    from training.evaluation.checkpoint_evaluation import COST_SECONDS, evaluate_checkpoint
    from training.evaluation.forward import BATCH_SIZE

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    return evaluate_checkpoint(
        arguments.checkpoint,
        data=arguments.data,
        split=arguments.split,
        device=arguments.device,
        dtype=arguments.dtype,
        batch_size=arguments.batch_size or BATCH_SIZE,
        cost_seconds=COST_SECONDS if arguments.seconds is None else arguments.seconds,
        model=arguments.model,
        image_size=arguments.image_size,
    )


def _seconds(text: str) -> float:
    value = number("--seconds")(text)
    if value < 0:
        raise UsageError(f"--seconds {text} is not possible", hint="give 0 or more")
    return value
