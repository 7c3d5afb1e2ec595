"""Train a small model with a trained one as its teacher (Hinton et al., arXiv 1503.02531).

The teacher runs beside every step of the student; its joules are in the ledger, under train. All
else is as in `train`: the same recipes, flags and files, and `train --resume` goes on with it.
"""

from __future__ import annotations

import argparse

from .options import add_recipe, chosen_recipe
from .train import add_training, new_runs, train_all


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `distill`."""
    parser.add_argument(
        "--teacher",
        required=True,
        metavar="FILE",
        help="checkpoint that `train` wrote: best.safetensors of its folder",
    )
    parser.add_argument(
        "--student",
        required=True,
        metavar="REF",
        help="the model to train; what `train --model` takes",
    )
    add_training(parser, can_resume=False)
    add_recipe(parser, without=("model", "teacher"))


def execute(arguments: argparse.Namespace) -> int:
    """Train the student."""
    forced = {"model": arguments.student, "teacher": arguments.teacher}
    return train_all(
        arguments, lambda: new_runs(arguments, [chosen_recipe(arguments, forced=forced)])
    )
