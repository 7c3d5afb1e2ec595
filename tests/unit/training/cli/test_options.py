from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import get_args, get_type_hints

import pytest

from profiler.errors import UsageError
from training.cli import PROGRAM, VERBS, main
from training.cli.options import add_recipe, chosen_recipe, field_texts, share
from training.recipe import Recipe, flag_of, load_recipe


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_recipe(parser)
    return parser.parse_args(words)


def test_without_flags_the_recipe_is_that_of_the_full_run():
    assert chosen_recipe(parsed()) == load_recipe("full") == Recipe()


def test_a_flag_changes_its_field_of_the_named_recipe_and_no_other():
    changed = chosen_recipe(parsed("--recipe", "digits", "--epochs", "3", "--no-channels-last"))
    assert changed == replace(load_recipe("digits"), epochs=3, channels_last=False)


def test_what_the_verb_sets_wins_over_flags_and_base():
    base = Recipe(epochs=7)
    recipe = chosen_recipe(parsed("--seed", "5"), base=base, forced={"model": "resnet18"})
    assert recipe == replace(base, seed=5, model="resnet18")


@pytest.mark.parametrize("item", fields(Recipe), ids=lambda item: item.name)
def test_every_field_has_a_flag_that_sets_it(item):
    kinds = get_args(get_type_hints(Recipe)[item.name]) or (get_type_hints(Recipe)[item.name],)
    values = {"optimizer": "adamw", "schedule": "cosine", "dtype": "fp16"}
    text = values.get(item.name, "0.25" if float in kinds else "3")
    words = ["--no-" + item.name.replace("_", "-")] if bool in kinds else [flag_of(item.name), text]
    wanted = False if bool in kinds else next(kind for kind in kinds if kind is not None)(text)
    wanted = (wanted,) if Ellipsis in kinds else wanted
    assert getattr(chosen_recipe(parsed(*words)), item.name) == wanted
    assert field_texts()[item.name]


@pytest.mark.parametrize("name", ["ema_decay", "image_size", "teacher"])
def test_what_may_be_absent_is_switched_off_by_none(name):
    base = Recipe(ema_decay=0.99, image_size=64, teacher="a.safetensors")
    assert getattr(chosen_recipe(parsed(flag_of(name), "none"), base=base), name) is None


@pytest.mark.parametrize(("text", "value"), [("0.9", 0.9), ("90%", 0.9), ("1", 1.0)])
def test_a_share_is_a_number_or_percent(text, value):
    assert share("--target-accuracy")(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["0", "-1", "1.01", "90", "nan", "", "%", "much"])
def test_what_is_no_share_is_refused_with_its_value(text):
    with pytest.raises(UsageError, match="--target-accuracy"):
        share("--target-accuracy")(text)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_is_its_docstring(verb, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    told = capsys.readouterr().out
    description = PROGRAM.build_parser(verb)._subparsers._group_actions[0].choices[verb].description
    assert description.splitlines()[0] in told


def test_without_a_verb_the_help_goes_to_stderr_and_the_code_is_usage(capsys):
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(verb in printed.err for verb in VERBS)


def test_a_misspelt_verb_is_told_with_the_nearest(capsys):
    assert main(["trian"]) == 2
    assert "did you mean `train`?" in capsys.readouterr().err
