"""What a trained model sees in image files, prepared as the images it was trained on were.

The probabilities are the model's own; `evaluate` says how far they are true.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.cli.options import whole_number
from profiler.cli.stdout import stdout_to_stderr
from profiler.errors import InputDataError
from profiler.inputs.folder import find_pictures, readable
from profiler.render.document import Column, Table
from profiler.values.plain_text import clean
from profiler.values.units import show_share
from training.progress.words import ending

from .options import add_checkpoint, add_json

if TYPE_CHECKING:
    from training.evaluation.prediction import Prediction

SCHEMA_VERSION = 1
SMALLEST_SHOWN = 1e-4
LONGEST_FILE, LONGEST_CLASS = 40, 24


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `predict`."""
    add_checkpoint(parser)
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    add(
        "--top",
        type=whole_number("--top", 1),
        default=3,
        metavar="N",
        help="classes to tell, likeliest first (default: %(default)s)",
    )
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Predict and print; the code is 1 where a file could not be read."""
    files = [file for named in arguments.images for file in _files(named)]
    with stdout_to_stderr():
        from training.evaluation.prediction import predict

        predictions = predict(
            arguments.checkpoint,
            files,
            top=arguments.top,
            device=arguments.device,
            model=arguments.model,
            image_size=arguments.image_size,
        )
    problems = [found for found in predictions if found.problem is not None]
    if len(problems) == len(predictions):
        raise InputDataError(
            clean(problems[0].problem or ""),
            hint="name image files that Pillow can read, such as PNG or JPEG",
        )
    if arguments.json:
        print(json.dumps(_document(arguments.checkpoint, predictions), ensure_ascii=False))
    else:
        _print(predictions)
    for found in problems:
        print(f"error: {clean(found.problem or '')}", file=sys.stderr)
    return 1 if problems else 0


def _files(named: Path) -> Sequence[Path]:
    """A file, or the images at any depth of a folder, as a training finds them."""
    if not named.is_dir():
        return [named]
    inside, others = find_pictures(named)
    if not inside:
        raise InputDataError(
            f"the folder '{clean(str(named))}' holds no images", hint="name image files"
        )
    if others:
        example = clean(readable(others[0].name))
        print(f"{len(others)} files that are no images ignored, such as {example}", file=sys.stderr)
    return inside


def _document(checkpoint: Path, predictions: Sequence[Prediction]) -> dict[str, object]:
    from profiler.values.codec import encode

    return {
        "schema_version": SCHEMA_VERSION,
        "checkpoint": encode(str(checkpoint)),
        "predictions": encode(predictions),
    }


def _print(predictions: Sequence[Prediction]) -> None:
    from profiler.render.formats.text import table_text

    columns = (
        Column(label="image"),
        Column(label="class"),
        Column(label="probability", role="number"),
    )
    rows = tuple(
        (
            ending(readable(found.file), LONGEST_FILE) if place == 0 else "",
            ending(guess.name, LONGEST_CLASS),
            _probability(guess.probability),
        )
        for found in predictions
        for place, guess in enumerate(found.guesses)
    )
    print(table_text(Table(caption="What the model sees", columns=columns, rows=rows)))


def _probability(share: float) -> str:
    return show_share(share) if share >= SMALLEST_SHOWN else "below 0.01 %"
