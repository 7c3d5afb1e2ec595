"""The same command line over and over, as a scheduler starts a job that it took down."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.pictures import tiny_recipe
from training.cli import main
from training.progress.view import SILENT
from training.run import loop


class TakenDown:
    """A view that sends the process a signal in the second epoch."""

    def step(self, epoch: int, share: float) -> None:
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGUSR1)

    def __getattr__(self, name: str) -> Any:
        return getattr(SILENT, name)


def test_one_command_line_starts_goes_on_and_tells_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = tiny_recipe(tmp_path), tmp_path / "run"
    words = [
        "train", "--model", recipe.model, "--data", recipe.data, "--epochs", "2",
        "--batch-size", "8", "--crop-padding", "1", "--dtype", "fp32", "--device", "cpu",
        "--out", str(out), "--resume-or-start", "--quiet", "--no-codecarbon", "--json",
    ]  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr("training.cli.session.choose_view", lambda **named: TakenDown())
        assert main(words) == 138
    assert "go on with" in capsys.readouterr().err
    assert main(words) == 0
    finished = json.loads(capsys.readouterr().out)["runs"]
    assert [run["epochs_done"] for run in finished] == [2]
    monkeypatch.setattr(loop, "train", None)  # nothing is trained a third time
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == finished
    assert main([*words, "--epochs", "3"]) == 2
    assert "epochs was 2 and is now 3" in capsys.readouterr().err


def test_it_needs_a_folder_that_stays_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume-or-start"]) == 2
    assert "hint: give it with --out" in capsys.readouterr().err
