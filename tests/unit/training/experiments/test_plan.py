from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from profiler.errors import StoreError
from profiler.render.formats import render_document
from profiler.values.findings import Finding
from tests.unit.training.experiments.test_seeds import run
from tests.unit.training.results import ledger_summary, training_result
from training.experiments.plan import ExperimentPlan, read_plan, read_run, write_experiment
from training.experiments.table import experiment_document
from training.recipe import Recipe
from training.result import write_result

RECIPE = Recipe(data="digits", epochs=5)
HOT = Finding(kind="x", observed="it was hot", remedy="cool it")
PLAN = ExperimentPlan(recipe=RECIPE, models=("lightweight", "resnet18"), seeds=(0, 1))


def store(folder: Path, name: str, recipe: Recipe, **changes: object) -> None:
    """What `train` leaves of a finished run."""
    done = run(recipe.seed)
    result = training_result(
        recipe,
        test_accuracy=done.accuracy,
        ledger=ledger_summary(energy_j=done.energy_j, images_per_joule=done.images_per_joule),
        findings=(HOT,),
    )
    (folder / name).mkdir(parents=True)
    write_result(replace(result, **changes), folder / name)


def test_a_plan_has_a_run_for_each_model_and_seed_and_all_models_first():
    runs = PLAN.runs()
    assert [name for name, _ in runs] == [
        "lightweight-seed0", "resnet18-seed0", "lightweight-seed1", "resnet18-seed1",
    ]  # fmt: skip
    assert runs[3][1] == replace(RECIPE, model="resnet18", seed=1)


def test_models_of_the_same_name_have_folders_of_their_own():
    models = ("a/net.py:Net", "b/net.py:Net", "torchvision:resnet50", "c/net.py:Net")
    names = [name for name, _ in replace(PLAN, models=models, seeds=(0,)).runs()]
    assert len(set(names)) == 4
    assert all("/" not in name for name in names)


def test_a_finished_run_is_read_back(tmp_path):
    (name, recipe) = PLAN.runs()[0]
    store(tmp_path, name, recipe)
    done = read_run(tmp_path, name, recipe)
    assert replace(done, findings=()) == run(0)
    assert done.findings == (HOT,)


def test_what_was_interrupted_is_not_finished(tmp_path):
    store(tmp_path, "one", RECIPE, stopped_by="interrupted")
    assert read_run(tmp_path, "one", RECIPE) is None
    assert read_run(tmp_path, "two", RECIPE) is None


def test_a_run_of_another_recipe_is_not_taken_for_this_one(tmp_path):
    store(tmp_path, "one", replace(RECIPE, learning_rate=0.7))
    with pytest.raises(StoreError, match="learning_rate"):
        read_run(tmp_path, "one", RECIPE)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"schema_version": 1}',
        '{"schema_version": 1, "folder": "x", "recipe": {"epochs": "many"}}',
        '{"schema_version": 1, "folder": "x", "recipe": {"epochs": -1}}',
    ],
)
def test_a_damaged_result_is_one_sentence_with_what_to_do(tmp_path, content):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "result.json").write_text(content)
    with pytest.raises(StoreError) as caught:
        read_run(tmp_path, "one", RECIPE)
    assert "\n" not in caught.value.message
    assert "delete" in caught.value.hint


def test_a_plan_survives_the_disk(tmp_path):
    write_experiment(tmp_path, PLAN, [])
    assert read_plan(tmp_path) == PLAN


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"plan": {"recipe": {"x": 1}}}'])
def test_a_folder_without_a_plan_is_no_experiment(tmp_path, content):
    if content is not None:
        (tmp_path / "experiment.json").write_text(content)
    with pytest.raises(StoreError):
        read_plan(tmp_path)


def test_the_record_holds_runs_and_models_with_basis(tmp_path):
    write_experiment(tmp_path, PLAN, [run(0, 0.90), run(1, 0.92)])
    document = json.loads((tmp_path / "experiment.json").read_text())
    assert [one["folder"] for one in document["runs"]] == ["lightweight-seed0", "lightweight-seed1"]
    lightweight, resnet18 = document["models"]
    assert lightweight["accuracy"]["basis"] == "measured"
    assert lightweight["accuracy"]["point"] == pytest.approx(0.91)
    assert resnet18["accuracy"] is None


@pytest.mark.parametrize("form", ["text", "md", "html"])
def test_the_table_has_a_row_a_model_and_says_what_was_not_seen(form):
    seeds = [run(0, 0.90), run(1, 0.91), run(2, 0.92)]
    text = render_document(experiment_document(PLAN, seeds), form)
    assert "lightweight" in text
    assert "resnet18" in text
    assert "91 ± 2 %" in text.replace("\xa0", " ")
    assert "not seen" in text
    assert "Student" in text


def test_on_a_terminal_it_fits_80_columns():
    models = ("timm:a_model_with_a_long_name.in_a_version", "net.py:another")
    plan = replace(PLAN, models=models)
    runs = [replace(run(seed, 0.9), model=model) for seed in range(3) for model in models]
    text = render_document(experiment_document(plan, runs, is_narrow=True), "text")
    assert max(map(len, text.splitlines())) <= 80
    assert all(part in text for part in ("in_a_version", "joules of a run", "test accuracy"))


def test_what_only_some_runs_saw_is_told_of_these():
    hot = run(0, findings=(HOT,))
    text = render_document(experiment_document(PLAN, [hot, run(1)]), "text")
    assert "lightweight-seed0: it was hot. Cool it." in text
