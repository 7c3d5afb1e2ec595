"""Flags that several verbs share; those of a recipe are read off the dataclass itself."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from profiler.cli.options import add_carbon, add_sensors, number, whole_number
from profiler.errors import UsageError
from training.progress.logs import LOGS
from training.recipe import (
    AT_LEAST_ONE,
    CHOICES,
    Recipe,
    flag_of,
    load_recipe,
    make_recipe,
    recipe_names,
)

DEFAULT_RECIPE = "full"

_SOURCES = "digits, cifar10, cifar100, parquet:PATH or folder:PATH"
_PREFIX = "recipe_"
_NONE = "none"


def add_recipe(parser: argparse.ArgumentParser, *, without: Collection[str] = ()) -> None:
    """--recipe, and a flag for each field of a recipe.

    Args:
        parser: where they are added.
        without: fields for which the verb has flags of its own.
    """
    parser.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help=f"{', '.join(recipe_names())}, or a TOML file (default: {DEFAULT_RECIPE}); "
        "the flags below change it",
    )
    group = parser.add_argument_group("fields of the recipe")
    hints, texts = get_type_hints(Recipe), field_texts()
    for item in fields(Recipe):
        if item.name not in without:
            _add_field(group, item.name, hints[item.name], texts.get(item.name, ""))


def field_texts() -> dict[str, str]:
    """What the docstring of Recipe says about each of its fields."""
    _, _, arguments = (inspect.getdoc(Recipe) or "").partition("Args:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE)
    texts = {name: " ".join(text.split()).rstrip(".") for name, text in entries}
    return {**texts, "data": f"{_SOURCES}; it must have labels"}


def _add_field(group: argparse._ArgumentGroup, name: str, hint: Any, text: str) -> None:
    kinds = get_args(hint) or (hint,)
    keywords: dict[str, Any] = {
        "dest": f"{_PREFIX}{name}",
        "default": argparse.SUPPRESS,
        "help": text.replace("%", "%%"),
    }
    if Ellipsis in kinds:
        group.add_argument(flag_of(name), type=_whole_numbers(name), metavar="N,N", **keywords)
        return
    if bool in kinds:
        group.add_argument(flag_of(name), action=argparse.BooleanOptionalAction, **keywords)
        return
    if name in CHOICES:
        keywords["choices"] = CHOICES[name]
    else:
        keywords["type"] = _converter(name, kinds)
        keywords["metavar"] = "N" if int in kinds else "X" if float in kinds else "TEXT"
    group.add_argument(flag_of(name), **keywords)


def _converter(name: str, kinds: tuple[Any, ...]) -> Callable[[str], Any]:
    flag = flag_of(name)
    convert: Callable[[str], Any] = str
    if int in kinds:
        convert = whole_number(flag, 1 if name in AT_LEAST_ONE else 0)
    elif float in kinds:
        convert = number(flag)
    if NoneType not in kinds:
        return convert
    return lambda text: None if text.lower() == _NONE else convert(text)


def _whole_numbers(name: str) -> Callable[[str], list[int]]:
    convert = whole_number(flag_of(name), 1)
    return lambda text: [convert(part) for part in text.split(",")]


def _given_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of the recipe that were set by a flag."""
    named = vars(arguments).items()
    return {key.removeprefix(_PREFIX): value for key, value in named if key.startswith(_PREFIX)}


def chosen_recipe(
    arguments: argparse.Namespace,
    *,
    base: Recipe | None = None,
    forced: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe that the flags ask for.

    Args:
        arguments: of a parser that `add_recipe` filled.
        base: what is changed where no --recipe is given; None for the default one.
        forced: fields that the verb itself sets.
    """
    if base is None or arguments.recipe is not None:
        base = load_recipe(arguments.recipe or DEFAULT_RECIPE)
    given = {**_given_fields(arguments), **(forced or {})}
    return make_recipe(given, base=base, origin="the command line")


def add_place(parser: argparse.ArgumentParser) -> None:
    """Where it runs, and where the electricity comes from."""
    add = parser.add_argument
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add(
        "--threads",
        type=whole_number("--threads", 1, 1024),
        metavar="N",
        help="CPU threads of torch",
    )
    add_sensors(parser)
    add_carbon(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on stdout and nothing else"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """--json, --quiet and --log."""
    add_json(parser)
    parser.add_argument(
        "--log",
        action="append",
        choices=tuple(LOGS),
        default=[],
        help="; ".join(f"{name}: {what}" for name, what in LOGS.items()),
    )
    parser.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """--checkpoint, and --model for one whose code must be named."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="FILE",
        help="written by `train`: best.safetensors of a run's folder; or weights of another "
        "program (.pth, .ckpt, .safetensors) with --model",
    )
    parser.add_argument(
        "--model",
        metavar="REF",
        help="the model it was trained for, needed only where that is code of your own; or a "
        "variant of it, such as NAME+int8",
    )
    parser.add_argument(
        "--image-size",
        type=whole_number("--image-size", 1),
        metavar="N",
        help="side of its images; only for weights of another program, which do not say it",
    )


def share(flag: str) -> Callable[[str], float]:
    """A converter for argparse: "0.9" or "90%", above 0 and at most 1."""

    def convert(text: str) -> float:
        value = number(flag)(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if not 0 < value <= 1:
            raise UsageError(
                f"{flag} {text} is not possible", hint=f"give a share, such as {flag} 0.9 or 90%"
            )
        return value

    return convert
