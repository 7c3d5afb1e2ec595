from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from profiler.files import write_whole_file
from tests.unit.training.results import JOULES, ledger_summary, training_result
from training.cli import main
from training.evaluation.accuracy import accuracy_difference, top1_accuracy
from training.recipe import Recipe
from training.result import write_result

RECIPE = Recipe(model="lightweight", data="digits", epochs=5)


def store(folder: Path, **changes: object) -> None:
    folder.mkdir(parents=True)
    write_whole_file(folder / "recipe.json", "{}")
    write_result(training_result(RECIPE, **changes), folder)


@pytest.fixture
def trainings(tmp_path: Path) -> Path:
    twice = ledger_summary(energy_j=JOULES.scaled(2, "J"), duration_s=30.0)
    store(tmp_path / "base", test_accuracy=top1_accuracy(90, 100, "test"))
    store(tmp_path / "sweep" / "other", ledger=twice, test_accuracy=top1_accuracy(80, 100, "test"))
    (tmp_path / "begun").mkdir()
    write_whole_file(tmp_path / "begun" / "recipe.json", "{}")
    return tmp_path


def test_what_was_trained_is_listed_with_accuracy_and_joules(
    trainings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", str(trainings)]) == 0
    shown = capsys.readouterr().out
    # The first line names the folder, which may be as long as its user likes.
    assert max(map(len, shown.splitlines()[1:])) <= 80
    row = next(line for line in shown.splitlines() if line.startswith("base"))
    assert row.split("  ")[0] == "base"
    assert all(part in row for part in ("lightweight", "5 of 5", "90 [83, 94] %", "100 ± 2 J"))
    assert "begun" in shown
    assert "not finished" in shown
    assert main(["list", str(trainings), "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["run"] for run in runs] == ["base", "begun", "sweep/other"]
    assert runs[2]["result"]["ledger"]["energy_j"]["point"] == 200.0


def test_an_empty_folder_tells_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", str(tmp_path / "nowhere")]) == 0
    assert "hint: python -m training train" in capsys.readouterr().err


def test_two_trainings_are_compared_with_intervals(
    trainings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", str(trainings / "base"), str(trainings / "sweep" / "other")]
    assert main(words) == 0
    shown = capsys.readouterr().out
    # A folder may have as long a name as its user likes.
    assert max(len(line) for line in shown.splitlines() if str(trainings) not in line) <= 80
    assert "what another seed would change is in no interval here" in shown
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["side_by_side"] is None
    (told,) = document["trainings"]
    assert told["energy_ratio"]["point"] == pytest.approx(2.0)
    assert told["time_ratio"]["point"] == pytest.approx(3.0)
    assert told["accuracy_difference"]["point"] == pytest.approx(-0.1)
    assert main(["compare", str(trainings / "base"), str(trainings / "begun")]) == 1
    assert "has no result yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["base"], 2, "there is nothing to compare"),
        (["base", "lightweight+int8@nowhere.safetensors"], 1, "there is no checkpoint 'nowhere"),
        (["base", "other", "--max-seconds", "0"], 2, "--max-seconds 0 is not possible"),
    ],
)
def test_what_cannot_be_compared_is_said(
    trainings: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(trainings)
    assert main(["compare", *words]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "hint: " in shown


def test_the_difference_of_two_accuracies_is_newcombes() -> None:
    # Newcombe (1998), table II, example (a), method 10: 56/70 - 48/80 is 0.0524 to 0.3339.
    found = accuracy_difference(top1_accuracy(48, 80, "a"), top1_accuracy(56, 70, "b"))
    assert found.point == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0524, abs=5e-5)
    assert found.high == pytest.approx(0.3339, abs=5e-5)
    bare = replace(top1_accuracy(1, 2, "a"), low=None, high=None, confidence=None)
    assert accuracy_difference(bare, bare).low is None
