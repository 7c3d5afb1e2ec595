"""Runs, ledgers and checkpoints that the first version wrote are read, and say what they said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import profiler
from profiler.cli import main as profiler_main
from profiler.ledger import read_ledger
from training.checkpoints.checkpoint import load_checkpoint
from training.cli import main as training_main

FIRST = Path(__file__).resolve().parents[1] / "fixtures" / "first_version"


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, so that a reader that writes is found out by `git status` and not by luck."""
    folder = tmp_path / "first_version"
    shutil.copytree(FIRST, folder)
    monkeypatch.chdir(folder)
    return folder


def test_the_run_is_loaded_with_every_number_it_was_stored_with(first: Path) -> None:
    profile = profiler.load(first / "run")
    stored = json.loads((first / "run" / "profile.json").read_text(encoding="utf-8"))
    assert profile.energy_j is not None
    assert profile.energy_j.point == stored["energy_j"]["point"]
    assert profile.latency_s is not None
    assert profile.latency_s.low == stored["latency_s"]["low"]
    assert len(profile.layers) == len(stored["layers"]) > 0
    assert len(profile.traces) == 2


@pytest.mark.parametrize("form", ["text", "md", "html", "csv", "json", "latex"])
def test_the_run_is_reported(first: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert profiler_main(["report", "run", "--format", form]) == 0
    assert "Tiny" in capsys.readouterr().out


def test_every_joule_of_the_run_is_still_held_by_its_readings_and_the_older_estimator_named(
    first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profiler_main(["verify", "run", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["holds"] is True
    (run,) = answer["runs"]
    assert {check["verdict"] for check in run["checks"]} <= {"agrees", "within the interval"}
    assert "estimator-changed" in {finding["kind"] for finding in run["findings"]}
    assert profiler_main(["verify", "run"]) == 0
    assert "older estimator" in capsys.readouterr().out


def test_a_joule_that_was_changed_by_hand_does_not_hold(
    first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = first / "run" / "profile.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    for end in ("point", "low", "high"):
        stored["energy_j"][end] *= 2
    file.write_text(json.dumps(stored), encoding="utf-8")
    assert profiler_main(["verify", "run", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["holds"] is False


def test_the_ledger_is_read_and_adds_up_to_what_it_was_stored_with(first: Path) -> None:
    summary = read_ledger(first / "trained")
    stored = json.loads((first / "trained" / "result.json").read_text(encoding="utf-8"))
    assert summary.energy_j is not None
    assert summary.energy_j.point == pytest.approx(stored["ledger"]["energy_j"]["point"])


def test_the_checkpoint_holds_the_state_of_its_last_step(first: Path) -> None:
    loaded = load_checkpoint(first / "trained" / "last.safetensors")
    assert (loaded.info.step, loaded.info.epochs_done) == (84, 2)


def test_the_weights_reach_the_accuracy_they_were_stored_with(
    first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--checkpoint", "trained/best.safetensors", "--model", "tiny.py:Tiny"]
    assert training_main([*words, "--device", "cpu", "--json"]) == 0
    stored = json.loads((first / "trained" / "result.json").read_text(encoding="utf-8"))
    found = json.loads(capsys.readouterr().out)
    assert found["top1"]["point"] == pytest.approx(stored["test_accuracy"]["point"])
