from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import UsageError
from training.recipe import Recipe, flag_of, load_recipe, make_recipe, recipe_names


def test_every_named_recipe_loads_and_names_its_epochs() -> None:
    epochs = {name: load_recipe(name).epochs for name in recipe_names()}
    assert {name: epochs[name] for name in ("quick", "full", "extended")} == {
        "quick": 10, "full": 100, "extended": 200,
    }  # fmt: skip
    assert load_recipe("digits").data == "digits"


def test_quick_and_extended_differ_from_full_in_their_epochs_alone() -> None:
    for name in ("quick", "extended"):
        assert set(load_recipe(name).differences(load_recipe("full"))) == {"epochs"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0), ("batch_size", -1), ("learning_rate", float("nan")),
        ("learning_rate", float("inf")), ("weight_decay", -1e-4), ("label_smoothing", 1.5),
        ("ema_decay", -0.1), ("validation_share", 0.6), ("image_size", 0), ("temperature", 0.0),
        ("optimizer", "lion"), ("schedule", "steps"), ("dtype", "int8"), ("seed", -1),
        ("crop_padding", -1), ("momentum", 1.1), ("warmup_share", float("nan")),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_its_flag(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=field) as refused:
        Recipe(**{field: value})
    assert flag_of(field) in (refused.value.hint or "")


def test_an_unknown_field_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("epoch = 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'mine.toml' has the unknown field 'epoch'"):
        load_recipe(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 1.5), ("epochs", True), ("epochs", "3"), ("flip", 1), ("model", 3)],
)
def test_a_value_of_another_type_is_refused_with_how_to_write_it(field: str, value: Any) -> None:
    wanted = {"epochs": "a whole number", "flip": "true or false", "model": "a text"}[field]
    with pytest.raises(UsageError) as refused:
        make_recipe({field: value}, origin="x")
    assert refused.value.message == f"{field} in x is not {wanted}: {value!r}"
    assert "true or false" in (refused.value.hint or "")


def test_a_whole_number_does_for_a_real_one_and_none_for_an_optional_one() -> None:
    made = make_recipe({"learning_rate": 1, "ema_decay": None}, origin="x")
    assert type(made.learning_rate) is float
    assert made.ema_decay is None


def test_what_is_not_given_is_kept_from_the_base() -> None:
    made = make_recipe({"seed": 7}, base=load_recipe("digits"), origin="x")
    assert made.differences(load_recipe("digits")) == {"seed": (7, 0)}


def test_no_recipe_and_no_file_names_the_recipes_there_are() -> None:
    with pytest.raises(UsageError, match="there is no recipe 'fulll'") as refused:
        load_recipe("fulll")
    assert "digits, extended, finetune, full, qat, quick" in (refused.value.hint or "")


@pytest.mark.parametrize("text", [b"epochs = \n", b"\xb5\x00", b"x = " + b"[" * 100_000])
def test_a_broken_file_is_told_from_an_absent_one(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "broken.toml").write_bytes(text)
    with pytest.raises(UsageError, match="is no TOML: "):
        load_recipe(str(tmp_path / "broken.toml"))


def test_every_field_is_described() -> None:
    described = Recipe.__doc__ or ""
    assert [item.name for item in fields(Recipe) if f"        {item.name}:" not in described] == []
