"""The plan of an experiment: trainings that differ in model and seed alone.

    DIR/experiment.json           the plan, what its finished runs came to, and which failed
    DIR/table.md                  one row a model
    DIR/<model>-seed<n>/          a run's folder, as `train` writes it

Imports no torch: everything is read from the runs' folders.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from profiler.errors import StoreError
from profiler.files import slug, write_whole_file
from profiler.values.codec import FormError, decode, encode, parse
from profiler.values.plain_text import clean
from training.recipe import Recipe
from training.result import read_result
from training.run_folder import PLAN

from .seeds import FailedRun, FinishedRun, ModelResult, finished_run, summarize

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """What is to be trained.

    Args:
        recipe: what all runs share; its `model` and `seed` are replaced.
        models: references, each trained with every seed.
        seeds: one run of each model for each.
    """

    recipe: Recipe
    models: tuple[str, ...]
    seeds: tuple[int, ...]

    def runs(self) -> tuple[tuple[str, Recipe], ...]:
        """Folder names and recipes, seed by seed: what is cut short has all models equally."""
        names = folder_names(self.models)
        return tuple(
            (f"{names[model]}-seed{seed}", replace(self.recipe, model=model, seed=seed))
            for seed in self.seeds
            for model in self.models
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What is read of experiment.json."""

    plan: ExperimentPlan


def folder_names(models: Sequence[str]) -> dict[str, str]:
    """A folder name for each reference; those that would be the same are numbered."""
    names: dict[str, str] = {}
    for model in models:
        name = slug(Path(model).name)
        same = sum(other == name or other.startswith(f"{name}~") for other in names.values())
        names[model] = f"{name}~{same + 1}" if same else name
    return names


def read_run(folder: Path, name: str, recipe: Recipe) -> FinishedRun | None:
    """What the run in a folder came to; None where it is not finished.

    Raises:
        StoreError: its result cannot be read, or is that of another recipe.
    """
    result = read_result(folder / name)
    done = None if result is None else finished_run(result)
    if result is None or done is None:
        return None
    changed = ", ".join(result.recipe.differences(recipe))
    if changed:
        raise StoreError(
            f"'{clean(str(folder / name))}' holds a run of another recipe ({changed})",
            hint="delete that folder to train it again",
        )
    return done


def write_experiment(
    folder: Path,
    plan: ExperimentPlan,
    runs: Sequence[FinishedRun],
    failed: Sequence[FailedRun] = (),
) -> dict[str, Any]:
    """Write experiment.json, and return what it holds."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "plan": encode(plan),
        "runs": encode(tuple(runs)),
        "failed_runs": encode(tuple(failed)),
        "models": encode(results_of(plan, runs)),
    }
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    write_whole_file(folder / PLAN, text + "\n")
    return document


def results_of(plan: ExperimentPlan, runs: Sequence[FinishedRun]) -> tuple[ModelResult, ...]:
    """One result a model, in the order of the plan."""
    return tuple(
        summarize(model, [run for run in runs if run.model == model]) for model in plan.models
    )


def read_plan(folder: Path) -> ExperimentPlan:
    """The plan of an experiment that was begun.

    Raises:
        StoreError: the folder holds none, or a damaged one.
    """
    path = folder / PLAN
    try:
        return decode(parse(path.read_bytes()), _Stored).plan
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(
            f"'{clean(str(folder))}' holds no experiment: it has no {PLAN}",
            hint="name the folder that `experiment` printed",
        ) from error
    except (FormError, OSError) as error:
        raise StoreError(
            f"'{clean(str(path))}' cannot be read: {clean(str(error))}",
            hint="begin a new experiment",
        ) from error
