"""A run goes on with the data and the teacher that it began with, wherever they lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import InputDataError, UsageError
from profiler.machine.carbon import carbon_factors
from tests.unit.training.pictures import tiny_recipe, write_pictures
from training.checkpoints.checkpoint import load_info, load_model, save_weights
from training.evaluation.checkpoint_evaluation import evaluate_checkpoint
from training.progress.view import SILENT
from training.recipe import Recipe
from training.run import loop


class Stop(Exception):
    """Ends a run after its first epoch, as a kill would."""


class OneEpoch:
    def epoch(self, progress: object) -> None:
        raise Stop

    def __getattr__(self, name: str) -> Any:
        return getattr(SILENT, name)


def train(recipe: Recipe, folder: Path, **how: Any) -> Any:
    return loop.train(
        recipe, folder, device="cpu", carbon=carbon_factors(), meters=[], threads=1, **how
    )


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Recipe, Path]:
    recipe = tiny_recipe(tmp_path, epochs=2)
    with pytest.raises(Stop):
        train(recipe, tmp_path / "run", view=OneEpoch())
    return recipe, tmp_path / "run"


def add_one(pictures: Path) -> None:
    source = pictures / "train" / "class0" / "000.png"
    (source.parent / "999.png").write_bytes(source.read_bytes())


def rename_class(pictures: Path) -> None:
    for split in ("train", "test"):
        (pictures / split / "class0").rename(pictures / split / "zebra")


def exchange(pictures: Path) -> None:
    one, other = (pictures / "train" / name / "000.png" for name in ("class0", "class1"))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def change_test(pictures: Path) -> None:
    (pictures / "test" / "class1" / "000.png").unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (add_one, r"its train split: class 'class0' had 20 images and has 21"),
        (rename_class, r"class 0 was 'class0' and is 'class1'"),
        (exchange, r"its train split: as many images of each class, but other ones"),
        (change_test, r"its test split: class 'class1' had 8 images and has 7"),
    ],
)
def test_data_that_changed_since_the_run_began_are_refused_by_name(
    tmp_path: Path, begun: tuple[Recipe, Path], change: Callable[[Path], None], told: str
) -> None:
    change(tmp_path / "pictures")
    with pytest.raises(UsageError, match=told) as refused:
        train(*begun, resume=True)
    assert "new folder" in (refused.value.hint or "")


def test_data_that_moved_are_the_same_data(tmp_path: Path, begun: tuple[Recipe, Path]) -> None:
    recipe, folder = begun
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    with pytest.raises(InputDataError, match="does not exist"):
        train(recipe, folder, resume=True)
    moved = replace(recipe, data=f"folder:{tmp_path / 'elsewhere'}")
    assert train(moved, folder, resume=True).epochs_done == 2
    assert json.loads((folder / "recipe.json").read_text())["data"] == moved.data
    assert load_info(folder / "best.safetensors").recipe == moved


def test_other_data_in_another_place_are_refused(
    tmp_path: Path, begun: tuple[Recipe, Path]
) -> None:
    recipe, folder = begun
    other = write_pictures(tmp_path / "other", {"train": 21, "test": 8})
    with pytest.raises(UsageError, match="no longer what the run began with"):
        train(replace(recipe, data=other), folder, resume=True)
    with pytest.raises(UsageError, match=r"data was .* and is now 'digits'"):
        train(replace(recipe, data="digits"), folder, resume=True)
    assert json.loads((folder / "recipe.json").read_text())["data"] == recipe.data


def test_a_checkpoint_that_knows_no_digest_goes_on_in_its_own_place_alone(
    tmp_path: Path, begun: tuple[Recipe, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = begun
    load = loop.begin

    def as_before(*given: Any, **named: Any) -> Any:
        state = load(*given, **named)
        return replace(state, info=replace(state.info, data=None))

    monkeypatch.setattr(loop, "begin", as_before)
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    moved = replace(recipe, data=f"folder:{tmp_path / 'elsewhere'}")
    with pytest.raises(UsageError, match="the checkpoint does not say what was in it"):
        train(moved, folder, resume=True)
    (tmp_path / "elsewhere").rename(tmp_path / "pictures")
    assert train(recipe, folder, resume=True).epochs_done == 2


def test_what_was_held_out_is_not_read_from_data_that_changed(
    tmp_path: Path, begun: tuple[Recipe, Path]
) -> None:
    recipe = replace(begun[0], validation_share=0.2, epochs=1, model="lightweight", batch_size=8)
    train(recipe, tmp_path / "held")
    best = tmp_path / "held" / "best.safetensors"
    assert evaluate_checkpoint(best, split="validation", cost_seconds=0).image_count == 8
    add_one(tmp_path / "pictures")
    with pytest.raises(UsageError, match="had 20 images and has 21"):
        evaluate_checkpoint(best, split="validation", cost_seconds=0)


def test_a_teacher_is_known_by_its_weights_not_by_its_name(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, model="lightweight", epochs=1, batch_size=8)
    train(recipe, tmp_path / "taught")
    teacher = tmp_path / "taught" / "best.safetensors"
    student = replace(recipe, epochs=2, teacher=str(teacher))
    with pytest.raises(Stop):
        train(student, tmp_path / "run", view=OneEpoch())
    moved = teacher.rename(tmp_path / "moved.safetensors")

    network, info = load_model(moved)
    weights = network.state_dict()
    save_weights(teacher, info, {name: 2 * tensor for name, tensor in weights.items()})
    with pytest.raises(UsageError, match="does not hold the weights of the teacher"):
        train(student, tmp_path / "run", resume=True)
    went_on = train(replace(student, teacher=str(moved)), tmp_path / "run", resume=True)
    assert went_on.epochs_done == 2
