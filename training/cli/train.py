"""Train models of a recipe, with the joules of every epoch in a ledger.

A run's folder holds the recipe, the ledger, the best and the last checkpoint, and at the end
result.json. A run that was interrupted, killed or lost its power goes on with --resume.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.cli.options import add_codecarbon
from profiler.cli.stdout import stdout_to_stderr
from profiler.errors import UsageError
from training.experiments.plan import folder_names

from .options import add_output, add_place, add_recipe, chosen_recipe, share
from .output_folders import TRAININGS, check_new, find_run, new_folder
from .session import agree, exit_code, kept_checkpoint, run_training, say_interrupted, stoppable

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.result import TrainingResult


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `train`."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="REF",
        help="what `python -m profiler measure --model` takes; given several times, one after the "
        "other is trained",
    )
    add_training(parser)
    add_recipe(parser, without=("model",))


def add_training(parser: argparse.ArgumentParser, *, can_resume: bool = True) -> None:
    """The flags of a training that are no part of its recipe."""
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="the run's folder; with several models, that of their folders (default: a new one "
        "below trainings/)",
    )
    if can_resume:
        add("--resume", metavar="RUN", help="go on with the run in this folder, with its recipe")
    else:
        parser.set_defaults(resume=None)
    add(
        "--target-accuracy",
        type=share("--target-accuracy"),
        metavar="X",
        help="stop at this accuracy on the validation split, such as 0.9 or 90%%",
    )
    add_place(parser)
    add_codecarbon(parser)
    add_output(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Train what the flags name."""
    return train_all(arguments, lambda: _asked_for(arguments))


def _asked_for(arguments: argparse.Namespace) -> list[tuple[Recipe, Path]]:
    models = list(dict.fromkeys(arguments.model or []))
    if arguments.resume is None:
        forced = [{"model": model} for model in models] or [{}]
        return new_runs(arguments, [chosen_recipe(arguments, forced=fields) for fields in forced])
    if len(models) > 1:
        raise UsageError(
            "--resume goes on with one run, which has one --model", hint="resume one by one"
        )
    if arguments.out is not None:
        raise UsageError("--resume goes on in the run's own folder", hint="leave out --out")
    return [_resumed(arguments, {"model": models[0]} if models else {})]


def _resumed(arguments: argparse.Namespace, forced: Mapping[str, Any]) -> tuple[Recipe, Path]:
    """The run to go on with; a flag that would change its recipe is refused."""
    from training.checkpoints.checkpoint import check_recipe
    from training.run.start import stored_recipe

    folder = find_run(arguments.resume)
    stored = stored_recipe(folder)
    check_recipe(stored, chosen_recipe(arguments, base=stored, forced=forced))
    return stored, folder


def new_runs(arguments: argparse.Namespace, recipes: Sequence[Recipe]) -> list[tuple[Recipe, Path]]:
    """Recipes, and the folders that their runs go to."""
    names = folder_names([recipe.model for recipe in recipes]).values()
    if arguments.out is None:
        folders = [new_folder(TRAININGS, name) for name in names]
    else:
        check_new(arguments.out)
        folders = [arguments.out]
        if len(recipes) > 1:
            folders = [arguments.out / name for name in names]
    return list(zip(recipes, folders, strict=True))


def train_all(
    arguments: argparse.Namespace, decide: Callable[[], list[tuple[Recipe, Path]]]
) -> int:
    """Train recipes one after the other, and print what they came to.

    Args:
        arguments: of a parser that `add_training` and `add_recipe` filled.
        decide: recipes and folders; one process alone is asked, and tells its errors.
    """
    from profiler.machine.carbon import carbon_factors
    from training.distribution import joined

    outcomes: list[TrainingResult] = []
    with stdout_to_stderr(), stoppable(), joined(arguments.device) as group:
        carbon = carbon_factors(
            country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
        )
        for recipe, folder in agree(group, decide):
            try:
                outcome = run_training(
                    recipe, folder, arguments, carbon=carbon, group=group,
                    resume=arguments.resume is not None,
                )  # fmt: skip
            except (KeyboardInterrupt, SystemExit) as stop:
                code = exit_code(stop)
                if group.is_first:
                    say_interrupted(arguments, folder, kept_checkpoint(folder))
                return code
            outcomes.append(outcome)
    if group.is_first:
        _print(arguments, outcomes)
    return 0


def _print(arguments: argparse.Namespace, outcomes: Sequence[TrainingResult]) -> None:
    if arguments.json:
        from training.result import SCHEMA_VERSION, result_document

        documents = [result_document(outcome) for outcome in outcomes]
        print(json.dumps({"schema_version": SCHEMA_VERSION, "runs": documents}, allow_nan=False))
        return
    from .screens import render_results

    sys.stdout.write(render_results(outcomes))
