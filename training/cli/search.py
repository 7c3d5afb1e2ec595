"""Search a space for networks that are accurate and cheap, cheap as measured.

Every network is measured and trained for a few epochs; in each further round the better half is
trained for as long again. The test split is not read, except by --train-best. The folder holds
report.md, report.html and search.json, every training with its ledger, and one ledger of the whole.
A search that was interrupted goes on with --resume; while it runs, other processes may join it the
same way.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from profiler.cli.options import positive, whole_number
from profiler.cli.page import add_wide, page_width
from profiler.cli.stdout import stdout_to_stderr
from profiler.errors import ProfilerError, TrainingError, UsageError
from profiler.files import slug, write_whole_file
from profiler.inputs.sources import has_split
from profiler.values.plain_text import clean
from training.run_folder import FIRST_JOURNAL, LEDGER, SEARCH
from training.search.objectives import ACCURACY, JOULES, OBJECTIVES, read_constraint
from training.search.plan import DATABASE, SAMPLERS, SearchPlan, read_search_plan
from training.search.trials import CLAIM, TURN

from .options import add_output, add_place, add_recipe, chosen_recipe
from .output_folders import TRAININGS, check_new, new_folder, remove_unbegun
from .session import exit_code, stoppable

if TYPE_CHECKING:
    from training.search.result import SearchResult

TRIALS, ROUNDS = 20, 3
VALIDATION_SHARE = 0.1
REPORTS = {"report.md": "md", "report.html": "html"}
PRECISIONS = ("fp32", "bf16", "fp16", "int8")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `search`."""
    _add_plan(parser.add_argument_group("what is searched, and how"))
    add = parser.add_argument
    add("--baseline", metavar="REF", help="a network to beat: says when the search has paid off")
    add(
        "--train-best",
        type=whole_number("--train-best", 0),
        default=0,
        metavar="K",
        help="train the K most accurate of the front in full, and test them",
    )
    add("--storage", metavar="URL", help="Optuna's (default: a SQLite file in the folder)")
    add("--out", type=Path, metavar="DIR", help="default: a new folder below trainings/")
    add("--resume", type=Path, metavar="DIR", help="go on with the search in DIR, or join it")
    add_place(parser)
    add_output(parser)
    add_wide(parser)
    add_recipe(parser, without=("model",))


def _add_plan(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--space",
        metavar="S",
        help="residual or densenet, as `python -m models list` shows them; or transforms:MODEL, "
        "with --initial pruned too (default: residual)",
    )
    add(
        "--objective",
        action="append",
        choices=OBJECTIVES,
        help=f"give it several times (default: {ACCURACY} and {JOULES})",
    )
    add(
        "--constraint",
        action="append",
        type=read_constraint,
        metavar="C",
        help='such as "accuracy>=0.9" or "macs<=2e7"; what breaks one on a cost is not trained',
    )
    add("--trials", type=whole_number("--trials", 1), metavar="N", help=f"default: {TRIALS}")
    add(
        "--rounds",
        type=whole_number("--rounds", 1, 16),
        metavar="N",
        help=f"of training, each with the better half of the one before (default: {ROUNDS})",
    )
    add(
        "--first-epochs",
        type=whole_number("--first-epochs", 1),
        metavar="N",
        help="of the first round (default: a tenth of --epochs, at least 1)",
    )
    add("--sampler", choices=SAMPLERS, help="who proposes networks (default: tpe)")
    add(
        "--precision",
        choices=PRECISIONS,
        help="in which networks are measured and scored; accuracies are those of the trained "
        "network (default: fp32)",
    )
    add(
        "--images-per-call",
        type=whole_number("--images-per-call", 1),
        metavar="N",
        help="of a measured call (default: 1)",
    )
    add(
        "--max-seconds",
        type=positive("--max-seconds"),
        metavar="S",
        help="budget of the measurement of a network (default: 5)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Search, write the reports, and print the table."""
    with stdout_to_stderr(), stoppable():
        folder, plan = _begin(arguments)
        try:
            result = _searched(arguments, folder, plan)
        except ProfilerError:
            if arguments.resume is None and not any(path.is_dir() for path in folder.iterdir()):
                remove_unbegun(folder, SEARCH, DATABASE, CLAIM, TURN, LEDGER, FIRST_JOURNAL)
            raise
        except (KeyboardInterrupt, SystemExit) as stop:
            code = exit_code(stop)
            words = f"python -m training search --resume {quote(str(folder))}"
            print(
                clean(f"interrupted; what is known is kept, go on with `{words}`"), file=sys.stderr
            )
            return code
    return _finish(arguments, folder, result)


def _begin(arguments: argparse.Namespace) -> tuple[Path, SearchPlan]:
    """The folder and the plan; nothing is written before all of it has been checked."""
    if arguments.resume is not None:
        if arguments.out is not None:
            raise UsageError("--resume goes on in the search's folder", hint="leave out --out")
        stored = read_search_plan(arguments.resume)
        plan = _plan(arguments, stored)
        stored.check_same(plan)
        return arguments.resume, plan
    plan = _plan(arguments, None)
    folder = arguments.out or new_folder(TRAININGS, f"search-{slug(plan.space)}")
    check_new(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder, plan


def _plan(arguments: argparse.Namespace, stored: SearchPlan | None) -> SearchPlan:
    """What the flags ask for, over what was stored."""
    from training.search.space import check_space

    recipe = chosen_recipe(arguments, base=None if stored is None else stored.recipe)
    if not recipe.validation_share and not has_split(recipe.data, "validation"):
        recipe = replace(recipe, validation_share=VALIDATION_SHARE)
    given = {
        "space": arguments.space,
        "objectives": tuple(dict.fromkeys(arguments.objective)) if arguments.objective else None,
        "constraints": tuple(arguments.constraint) if arguments.constraint else None,
        "trial_count": arguments.trials,
        "rounds": arguments.rounds,
        "first_epochs": arguments.first_epochs,
        "sampler": arguments.sampler,
        "precision": arguments.precision,
        "batch_size": arguments.images_per_call,
        "max_seconds": arguments.max_seconds,
        "storage": arguments.storage,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if stored is None:
        stored = SearchPlan(
            space="residual", objectives=(ACCURACY, JOULES), constraints=(), recipe=recipe,
            trial_count=TRIALS, rounds=1, first_epochs=max(1, recipe.epochs // 10),
        )  # fmt: skip
        chosen.setdefault("rounds", _rounds_within(recipe.epochs, chosen, stored))
    plan = replace(stored, recipe=recipe, **chosen)
    check_space(plan.space, initial=recipe.initial)
    return plan


def _rounds_within(epochs: int, chosen: dict[str, object], plan: SearchPlan) -> int:
    """The default of rounds, fewer where the recipe has no epochs for them."""
    first = chosen.get("first_epochs", plan.first_epochs)
    assert isinstance(first, int)
    fitting = [count for count in range(1, ROUNDS + 1) if first * 2 ** (count - 1) <= epochs]
    return max(fitting, default=1)


def _searched(arguments: argparse.Namespace, folder: Path, plan: SearchPlan) -> SearchResult:
    from profiler.machine.carbon import carbon_factors
    from training.search.conduct import conduct
    from training.search.place import SearchPlace
    from training.search.watcher import Watcher

    watcher = Watcher(plan, quiet=arguments.quiet)
    place = SearchPlace(
        folder=folder,
        device=arguments.device,
        threads=arguments.threads,
        carbon=carbon_factors(
            country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
        ),
        watcher=watcher,
    )
    try:
        return conduct(plan, place, baseline=arguments.baseline, best_count=arguments.train_best)
    finally:
        watcher.close()


def _finish(arguments: argparse.Namespace, folder: Path, result: SearchResult) -> int:
    """Write the reports, and print the table or the JSON object."""
    from profiler.render.formats import render_document, text
    from training.search.document import search_document, told_nearest
    from training.search.result import write_search

    document = search_document(result)
    for name, form in REPORTS.items():
        write_whole_file(folder / name, render_document(document, form))
    values = write_search(folder, result)
    if arguments.json:
        print(json.dumps(values, allow_nan=False))
    else:
        sys.stdout.write(text.render(document, page_width(is_wide=arguments.wide)))
        print(f"\nstored in {clean(str(folder))}")
    missed = told_nearest(result)
    if missed is not None:
        raise TrainingError(
            missed, hint="loosen --constraint, or give more --trials, --rounds or --epochs"
        )
    return 0
