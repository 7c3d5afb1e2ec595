"""Train models of a recipe, with the joules of every epoch in a ledger.

A run's folder holds the recipe, the ledger, the best and the last checkpoint, and at the end
result.json. A run that was interrupted, killed or lost its power goes on with --resume; one that is
finished, too, with more --epochs: from its last weights, with a schedule of their own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from profiler.cli.options import add_codecarbon
from profiler.cli.stdout import stdout_to_stderr
from profiler.errors import UsageError
from training.experiments.plan import folder_names
from training.recipe import Recipe, prolonged
from training.result import (
    STOPPED_BY_EPOCHS,
    STOPPED_BY_INTERRUPTION,
    TrainingResult,
    read_result,
)
from training.run_folder import is_run

from .options import add_output, add_place, add_recipe, chosen_recipe, share
from .output_folders import TRAININGS, check_new, find_run, new_folder
from .session import agree, exit_code, kept_checkpoint, run_training, say_interrupted, stoppable


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
        add(
            "--resume",
            metavar="RUN",
            help="go on with the run in this folder, with its recipe; one that is finished goes on "
            "with more --epochs",
        )
        add(
            "--resume-or-start",
            action="store_true",
            help="go on with what is in --out, or begin there; a run that is finished is told "
            "again, for schedulers that start a job anew",
        )
    else:
        parser.set_defaults(resume=None, resume_or_start=False)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A training to do.

    Args:
        recipe: what to compute.
        folder: where.
        resume: whether to go on with what is there.
        done: what it came to, where it is finished.
    """

    recipe: Recipe
    folder: Path
    resume: bool = False
    done: TrainingResult | None = None


def _asked_for(arguments: argparse.Namespace) -> list[PlannedRun]:
    models = list(dict.fromkeys(arguments.model or []))
    if arguments.resume is None:
        forced = [{"model": model} for model in models] or [{}]
        return new_runs(arguments, [chosen_recipe(arguments, forced=fields) for fields in forced])
    if arguments.resume_or_start:
        raise UsageError(
            "--resume names a run, --resume-or-start takes the one in --out", hint="leave one out"
        )
    if len(models) > 1:
        raise UsageError(
            "--resume goes on with one run, which has one --model", hint="resume one by one"
        )
    if arguments.out is not None:
        raise UsageError("--resume goes on in the run's own folder", hint="leave out --out")
    return [_resumed(arguments, {"model": models[0]} if models else {})]


def _resumed(arguments: argparse.Namespace, forced: Mapping[str, Any]) -> PlannedRun:
    """The run to go on with; a flag that would change its recipe is refused."""
    from training.checkpoints.checkpoint import check_recipe
    from training.run.start import stored_recipe

    folder = find_run(arguments.resume)
    stored = stored_recipe(folder)
    recipe = chosen_recipe(arguments, base=stored, forced=forced)
    result = read_result(folder) if recipe.epochs > stored.epochs else None
    if result is not None and result.stopped_by == STOPPED_BY_EPOCHS:
        stored = prolonged(stored, recipe.epochs)
        recipe = chosen_recipe(arguments, base=stored, forced=forced)
    check_recipe(stored, recipe)
    return PlannedRun(recipe=recipe, folder=folder, resume=True)


def new_runs(arguments: argparse.Namespace, recipes: Sequence[Recipe]) -> list[PlannedRun]:
    """Recipes, and the folders that their runs go to."""
    names = folder_names([recipe.model for recipe in recipes]).values()
    if arguments.out is None:
        if arguments.resume_or_start:
            raise UsageError(
                "--resume-or-start needs a folder that stays the same", hint="give it with --out"
            )
        folders = [new_folder(TRAININGS, name) for name in names]
    else:
        folders = [arguments.out]
        if len(recipes) > 1:
            folders = [arguments.out / name for name in names]
        if not arguments.resume_or_start:
            check_new(arguments.out)
    runs = zip(recipes, folders, strict=True)
    return [
        _begun(recipe, folder)
        if arguments.resume_or_start
        else PlannedRun(recipe=recipe, folder=folder)
        for recipe, folder in runs
    ]


def _begun(recipe: Recipe, folder: Path) -> PlannedRun:
    """The run in a folder, as far as it is done, or a new one.

    Raises:
        UsageError: the folder holds a run of another recipe, or something else.
    """
    if not is_run(folder):
        check_new(folder)
        return PlannedRun(recipe=recipe, folder=folder)
    from training.checkpoints.checkpoint import check_recipe
    from training.run.start import stored_recipe

    check_recipe(stored_recipe(folder), recipe)
    result = read_result(folder)
    if result is None or result.stopped_by == STOPPED_BY_INTERRUPTION:
        return PlannedRun(recipe=recipe, folder=folder, resume=True)
    return PlannedRun(recipe=recipe, folder=folder, done=replace(result, folder=str(folder)))


def train_all(arguments: argparse.Namespace, decide: Callable[[], list[PlannedRun]]) -> int:
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
        for run in agree(group, decide):
            try:
                outcome = run.done or run_training(
                    run.recipe, run.folder, arguments, carbon=carbon, group=group,
                    resume=run.resume,
                )  # fmt: skip
            except (KeyboardInterrupt, SystemExit) as stop:
                code = exit_code(stop)
                if group.is_first:
                    say_interrupted(arguments, run.folder, kept_checkpoint(run.folder))
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
