"""The plan of an experiment: trainings that differ in model and seed alone.

    DIR/experiment.json           the plan, what its finished runs came to, and which failed
    DIR/table.md                  one row a model
    DIR/<model>-seed<n>/          a run's folder, as `train` writes it

Imports no torch: everything is read from the runs' folders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from profiler.errors import StoreError, UsageError
from profiler.files import slug, write_whole_file
from profiler.values.codec import FormError, decode, encode
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.plain_text import clean
from training.recipe import Recipe, make_recipe
from training.result import STOPPED_BY_EPOCHS, STOPPED_BY_TARGET
from training.run_folder import RESULT

from .seeds import FailedRun, FinishedRun, ModelResult, summarize

PLAN = "experiment.json"
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
    document = _read_json(folder / name / RESULT)
    if document is None or document.get("stopped_by") not in (STOPPED_BY_EPOCHS, STOPPED_BY_TARGET):
        return None
    try:
        stored = _recipe(document)
        ledger = _object(document, "ledger")
        run = FinishedRun(
            folder=name,
            model=stored.model,
            seed=stored.seed,
            stopped_by=document["stopped_by"],
            epochs_done=decode(document.get("epochs_done"), int, "epochs_done"),
            accuracy=decode(document.get("test_accuracy"), Estimate | None, "test_accuracy"),
            energy_j=decode(ledger.get("energy_j"), Estimate | None, "energy_j"),
            images_per_joule=decode(
                ledger.get("images_per_joule"), Estimate | None, "images_per_joule"
            ),
            duration_s=decode(ledger.get("duration_s"), float, "duration_s"),
            device_name=decode(_object(document, "environment").get("device_name"), str, "device"),
            findings=decode(document.get("findings"), tuple[Finding, ...], "findings"),
        )
    except FormError as error:
        raise StoreError(
            f"the result of '{clean(str(folder / name))}' cannot be read: {error}",
            hint="delete that folder to train it again",
        ) from error
    changed = ", ".join(stored.differences(recipe))
    if changed:
        raise StoreError(
            f"'{clean(str(folder / name))}' holds a run of another recipe ({changed})",
            hint="delete that folder to train it again",
        )
    return run


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
    document = _read_json(folder / PLAN)
    if document is None:
        raise StoreError(
            f"'{clean(str(folder))}' holds no experiment: it has no {PLAN}",
            hint="name the folder that `experiment` printed",
        )
    try:
        plan = _object(document, "plan")
        return ExperimentPlan(
            recipe=_recipe(plan),
            models=decode(plan.get("models"), tuple[str, ...], "models"),
            seeds=decode(plan.get("seeds"), tuple[int, ...], "seeds"),
        )
    except FormError as error:
        raise StoreError(
            f"'{clean(str(folder / PLAN))}' cannot be read: {error}", hint="begin a new experiment"
        ) from error


def _read_json(path: Path) -> Mapping[str, Any] | None:
    """The object in a file; None where there is no file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(
            f"'{clean(str(path))}' cannot be read: {clean(str(error))}",
            hint="delete it if it is damaged",
        ) from error
    if not isinstance(document, dict):
        raise StoreError(f"'{clean(str(path))}' holds no object", hint="delete it if it is damaged")
    return document


def _recipe(document: Mapping[str, Any]) -> Recipe:
    try:
        return make_recipe(_object(document, "recipe"), origin="its recipe")
    except UsageError as error:
        raise FormError(error.message) from error


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise FormError(f"{name} is not an object")
    return value
