"""Train several models with several seeds each, and say what they come to.

Every run is a training of its own, with a ledger and a test at its end. One that fails is a row
of the table, and the others go on. An experiment that was interrupted goes on with --resume: what
is finished is not trained again, what failed is tried again. It may grow: with --resume, a further
--model and a higher number of --seeds add runs to it. It writes experiment.json and table.md beside
the folders of its runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from profiler.cli.options import add_codecarbon, whole_number
from profiler.cli.stdout import stdout_to_stderr
from profiler.errors import DeviceError, InputDataError, ProfilerError, TrainingError, UsageError
from profiler.files import write_whole_file
from profiler.values.plain_text import clean
from training.experiments.plan import ExperimentPlan, read_plan, read_run, write_experiment
from training.experiments.seeds import FailedRun
from training.recipe import flag_of
from training.run_folder import PLAN, TABLE, has_failed_early, is_run

from .options import add_output, add_place, add_recipe, chosen_recipe, share
from .output_folders import TRAININGS, check_new, new_folder, remove_unbegun
from .session import ASKED_WRONGLY, agree, exit_code, run_training, say_interrupted, stoppable

if TYPE_CHECKING:
    from profiler.values.profile import CarbonFactors
    from training.distribution import Group
    from training.experiments.seeds import FinishedRun
    from training.recipe import Recipe

SEEDS = 3
OF_ALL_RUNS = (InputDataError, DeviceError)
"""What is wrong with the data or the device, which all runs share."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `experiment`."""
    add = parser.add_argument
    add("--model", action="append", metavar="REF", help="a model to train; give it several times")
    add(
        "--seeds",
        type=whole_number("--seeds", 1, 1000),
        metavar="N",
        help=f"runs of each model, with the seeds 0 to N - 1 (default: {SEEDS}); more than before "
        "adds to the experiment of --resume, as a further --model does",
    )
    add("--out", type=Path, metavar="DIR", help="default: a new folder below trainings/")
    add("--resume", type=Path, metavar="DIR", help="go on with the experiment in this folder")
    add(
        "--target-accuracy",
        type=share("--target-accuracy"),
        metavar="X",
        help="stop each run at this accuracy on the validation split, such as 0.9 or 90%%",
    )
    add_place(parser)
    add_codecarbon(parser)
    add_output(parser)
    add_recipe(parser, without=("model", "seed"))


def execute(arguments: argparse.Namespace) -> int:
    """Train what is not trained yet, and print the table."""
    from profiler.machine.carbon import carbon_factors
    from training.distribution import joined

    with stdout_to_stderr(), stoppable(), joined(arguments.device) as group:
        carbon = carbon_factors(
            country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
        )
        folder, plan = agree(group, lambda: _begin(arguments))
        try:
            runs, failed = _train(arguments, folder, plan, carbon, group)
        except ASKED_WRONGLY:
            if group.is_first and not any(path.is_dir() for path in folder.iterdir()):
                remove_unbegun(folder, PLAN)
            raise
        except (KeyboardInterrupt, SystemExit) as stop:
            code = exit_code(stop)
            if group.is_first:
                say_interrupted(arguments, folder, "what is finished is kept")
            return code
    if group.is_first:
        _finish(arguments, folder, plan, runs, failed)
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(plan.runs())} runs failed",
            hint=f"python -m training experiment --resume {quote(str(folder))} tries them again",
        )
    return 0


def _begin(arguments: argparse.Namespace) -> tuple[Path, ExperimentPlan]:
    """The folder and the plan, written before the first run."""
    if arguments.resume is not None:
        return arguments.resume, _resumed(arguments)
    recipe = chosen_recipe(arguments)
    plan = ExperimentPlan(
        recipe=recipe,
        models=tuple(dict.fromkeys(arguments.model or [recipe.model])),
        seeds=tuple(range(arguments.seeds or SEEDS)),
    )
    if arguments.out is None:
        folder = new_folder(TRAININGS, "experiment")
    else:
        folder = arguments.out
        check_new(folder)
    write_experiment(folder, plan, ())
    return folder, plan


def _resumed(arguments: argparse.Namespace) -> ExperimentPlan:
    """The plan to go on with, grown by the flags; one that would change it is refused."""
    if arguments.out is not None:
        raise UsageError("--resume goes on in the experiment's folder", hint="leave out --out")
    plan = read_plan(arguments.resume)
    recipe = chosen_recipe(arguments, base=plan.recipe)
    changed = [flag_of(name) for name in plan.recipe.changes(recipe)]
    if changed:
        raise UsageError(
            f"an experiment goes on with the plan it began with; {', '.join(changed)} would "
            "change it",
            hint=f"leave out {', '.join(changed)}, or begin a new experiment",
        )
    seed_count = arguments.seeds or len(plan.seeds)
    if seed_count < len(plan.seeds):
        raise UsageError(
            f"--seeds {seed_count} is fewer than the {len(plan.seeds)} of this experiment, which "
            "can only grow",
            hint="leave out --seeds, or begin a new experiment",
        )
    grown = replace(
        plan,
        recipe=recipe,
        models=tuple(dict.fromkeys([*plan.models, *(arguments.model or [])])),
        seeds=tuple(range(seed_count)),
    )
    if grown != plan:
        folder = arguments.resume
        known = [read_run(folder, name, planned) for name, planned in grown.runs()]
        write_experiment(folder, grown, [run for run in known if run is not None])
    return grown


def _train(
    arguments: argparse.Namespace,
    folder: Path,
    plan: ExperimentPlan,
    carbon: CarbonFactors,
    group: Group,
) -> tuple[list[FinishedRun], list[FailedRun]]:
    """Every run of the plan, trained now or before, and those that failed.

    Raises:
        ProfilerError: what would stop every run; the first failure, where no run is finished; any
            failure of one of several ranks, which are then no longer connected.
    """
    finished: list[FinishedRun] = []
    failed: list[FailedRun] = []
    errors: dict[str, ProfilerError] = {}
    refused: set[str] = set()
    runs = plan.runs()
    for number, (name, recipe) in enumerate(runs, start=1):
        try:
            if recipe.model in refused:  # every seed of it would be
                raise errors[recipe.model]
            done = _train_one(
                arguments, folder, name, recipe, carbon, group, f"run {number} of {len(runs)}"
            )
        except OF_ALL_RUNS:
            raise
        except ProfilerError as error:
            if group.world_size > 1:
                raise
            errors.setdefault(recipe.model, error)
            if isinstance(error, ASKED_WRONGLY):
                refused.add(recipe.model)
            failed.append(
                FailedRun(
                    folder=name,
                    model=recipe.model,
                    seed=recipe.seed,
                    error=error.message,
                    hint=error.hint or "",
                )
            )
            print(clean(f"{name} failed: {error.message}"), file=sys.stderr)
        else:
            finished += [done] if done is not None else []
        if group.is_first and finished:
            write_experiment(folder, plan, finished, failed)
    if errors and not finished:
        raise next(iter(errors.values()))
    return finished, failed


def _train_one(
    arguments: argparse.Namespace,
    folder: Path,
    name: str,
    recipe: Recipe,
    carbon: CarbonFactors,
    group: Group,
    place: str,
) -> FinishedRun | None:
    """What one run came to, trained now or before; None where it was not finished."""
    done, is_begun = _known(group, folder, name, recipe)
    if done is not None:
        return done
    _preload(recipe)
    if group.is_first and not arguments.quiet:
        print(f"{place}: {name}", file=sys.stderr)
    run_training(recipe, folder / name, arguments, carbon=carbon, group=group, resume=is_begun)
    return _known(group, folder, name, recipe)[0]


def _preload(recipe: Recipe) -> None:
    """Import what the first training of a process would import inside its ledger.

    All runs then pay for their own work alone, whichever is trained first.
    """
    from profiler.inputs.sources import open_source

    import_module("torch._dynamo")  # which every optimizer imports
    open_source(recipe.data, split="train", root=None)


def _known(
    group: Group, folder: Path, name: str, recipe: Recipe
) -> tuple[FinishedRun | None, bool]:
    """What a run came to, if it is finished, and whether there is something to go on with."""
    path = folder / name
    return agree(
        group,
        lambda: (read_run(folder, name, recipe), is_run(path) and not has_failed_early(path)),
    )


def _finish(
    arguments: argparse.Namespace,
    folder: Path,
    plan: ExperimentPlan,
    runs: Sequence[FinishedRun],
    failed: Sequence[FailedRun],
) -> None:
    """Write and print the table."""
    from profiler.render.formats import render_document
    from training.experiments.table import experiment_document

    document = experiment_document(plan, runs, failed)
    write_whole_file(folder / TABLE, render_document(document, "md"))
    if arguments.json:
        print(json.dumps(write_experiment(folder, plan, runs, failed), allow_nan=False))
        return
    narrow = experiment_document(plan, runs, failed, is_narrow=True)
    sys.stdout.write(render_document(narrow, "text"))
    print(f"\nimages per joule stand in {TABLE}, too\nstored in {clean(str(folder))}")
