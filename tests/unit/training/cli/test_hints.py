"""A hint may only name what exists where its reader stands: flags of the verb that was typed."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from training.cli import PROGRAM

ROOT = Path(__file__).parents[4]
TRAINS = ("train", "distill", "experiment")
JUDGES = ("evaluate", "predict")
REACHED_BY = {
    "training/cli/train.py": ("train",),
    "training/cli/distill.py": ("distill",),
    "training/cli/experiment.py": ("experiment",),
    "training/cli/evaluate.py": ("evaluate",),
    "training/cli/predict.py": ("predict",),
    "training/cli/ledger.py": ("ledger",),
    "training/evaluation/checkpoint_evaluation.py": ("evaluate",),
    "training/evaluation/prediction.py": ("predict",),
    "training/evaluation": JUDGES,
    "training/checkpoints": JUDGES,
    "training/run/start.py": TRAINS,
    "training/cli/search.py": ("search",),
    "training/search": ("search",),
}
"""Who meets the hints of a file or a room; where nothing is said, who trains."""
ONLY_MET_BY = {
    "--learning-rate": TRAINS,  # a checkpoint is written by those who train
    "--dtype": (*TRAINS, "evaluate"),
    "--teacher": ("distill", "experiment"),  # and told to those who gave it
}
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
COMMAND = re.compile(
    r"python -m training (?:(?P<verb>[a-z]+)|X)(?P<rest>[^`]*)|(?:torchrun|python -m profiler)[^`]*"
)


@cache
def flags_of(verb: str) -> frozenset[str]:
    verbs = next(
        action
        for action in PROGRAM.build_parser(verb)._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return frozenset(verbs.choices[verb]._option_string_actions)


def hints(path: Path) -> Iterator[str]:
    """Every hint that is written in a module, with X in the place of what is filled in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }
    for node in ast.walk(tree):
        value = None
        if isinstance(node, ast.keyword) and node.arg in ("hint", "advice"):
            value = node.value
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "hint" for target in targets):
                value = node.value
        if isinstance(value, ast.Name):
            value = named.get(value.id)
        if value is not None:
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X"
                for part in ast.walk(value)
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )


def verbs_that_meet(name: str) -> tuple[str, ...]:
    known = (verbs for place, verbs in REACHED_BY.items() if name.startswith(place))
    return next(known, TRAINS)


def wrong_flags(hint: str, verbs: tuple[str, ...]) -> list[str]:
    """Flags of a hint that its reader does not have."""
    wrong = []
    for command in COMMAND.finditer(hint):
        if command["verb"]:
            wrong += [
                f"{command['verb']} {flag}"
                for flag in FLAG.findall(command["rest"].partition(",")[0])
                if flag not in flags_of(command["verb"])
            ]
    for flag in FLAG.findall(COMMAND.sub("", hint)):
        meeting = [verb for verb in verbs if verb in ONLY_MET_BY.get(flag, verbs)]
        wrong += [f"{verb} {flag}" for verb in meeting if flag not in flags_of(verb)]
    return wrong


MODULES = sorted(
    path for path in (ROOT / "training").rglob("*.py") if any(True for _ in hints(path))
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_hints_name_flags_that_their_readers_have(path: Path) -> None:
    verbs = verbs_that_meet(str(path.relative_to(ROOT)))
    assert {hint: wrong for hint in hints(path) if (wrong := wrong_flags(hint, verbs))} == {}


def test_a_hint_that_names_another_verbs_flag_is_found() -> None:
    assert wrong_flags("check --input-shape", ("train",)) == ["train --input-shape"]
    assert wrong_flags("`python -m training evaluate --resume X`", TRAINS) == ["evaluate --resume"]
    assert wrong_flags("`python -m training train --resume X`", ("distill",)) == []
    assert len(MODULES) > 20
