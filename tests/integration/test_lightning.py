"""Real Lightning trainers with the callback, in a process of their own: Lightning loads slowly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.processes import ROOT, environment

pytest.importorskip("lightning", reason='needs `pip install "wattprof[lightning]"`')

README = (ROOT / "README.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```python\n([^`]*integrations\.lightning[^`]*)^```$", README, re.M)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("lightning")
    (folder / "example.py").write_text(EXAMPLE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.hosts.lightning_job"], cwd=folder,
        env=environment(), capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert isinstance(result, dict)
    return {**result, "stderr": done.stderr}


def assert_true(told: dict[str, Any]) -> None:
    """100 W for as long as it was recorded: the interval holds it, and is not absurdly wide."""
    low, _, high = told["total"]
    assert low <= told["expected_j"] * 1.05
    assert told["expected_j"] * 0.95 <= high
    assert told["failures"] == {}


def test_fit_has_joules_for_every_epoch_and_validation(jobs: dict[str, Any]) -> None:
    fit = jobs["plain"]["fit"]
    assert_true(fit)
    assert set(fit["energies"]) == {
        "fit", "sanity_check 0", "train_epoch 0", "train_epoch 1", "validation 0", "validation 1",
    }  # fmt: skip
    assert None not in fit["energies"].values()
    points = [energy[1] for name, energy in fit["energies"].items() if name != "fit"]
    assert sum(points) < fit["energies"]["fit"][2]


def test_test_and_predict_add_to_the_total(jobs: dict[str, Any]) -> None:
    told = jobs["plain"]["all"]
    assert_true(told)
    assert told["segment_count"] == 3
    assert {"fit", "test", "predict"} <= set(told["energies"])


def test_loggers_get_floats_and_the_source_in_words(jobs: dict[str, Any]) -> None:
    rows = jobs["plain"]["rows"]
    epochs = [row for row in rows if row["energy_j/train_epoch"]]
    assert [(row["epoch"], row["step"]) for row in epochs] == [("0", "28"), ("1", "57")]
    (fit,) = [float(row["energy_j/fit"]) for row in rows if row["energy_j/fit"]]
    assert fit == pytest.approx(jobs["plain"]["fit"]["energies"]["fit"][1])
    assert {row["energy_j/estimated_share"] for row in epochs} == {"0.0"}
    assert "energy_basis: 'measured: synthetic counter" in jobs["plain"]["hparams"]


def test_the_file_holds_what_the_callback_tells(jobs: dict[str, Any]) -> None:
    document = jobs["plain"]["file"]
    assert document["total_j"]["point"] == pytest.approx(jobs["plain"]["all"]["total"][1])
    assert [segment["stage"] for segment in document["segments"]] == ["fit", "test", "predict"]


def test_many_short_epochs_are_told_together(jobs: dict[str, Any]) -> None:
    brief = jobs["brief"]
    assert_true(brief)
    assert {f"train_epoch {epoch}" for epoch in range(60)} <= set(brief["energies"])
    assert "phases-together" in brief["findings"]
    known = [e for name, e in brief["energies"].items() if e is not None and name != "fit"]
    assert 0 < len(known) < 60
    assert sum(point for _, point, _ in known) < brief["energies"]["fit"][2] * 1.02
    assert brief["text"].count("\n") < 60


@pytest.mark.parametrize("name", ["alone", "validated"])
def test_a_checkpoint_can_be_chosen_by_the_joules_of_its_epoch(
    jobs: dict[str, Any], name: str
) -> None:
    told = jobs["monitored"][name]
    assert_true(told)
    assert told["best"].startswith("epoch=1-")
    cheapest_j = told["energies"]["train_epoch 1"][1]
    assert told["score"] == pytest.approx(cheapest_j, rel=0.3)
    assert told["score"] < 0.8 * told["energies"]["train_epoch 0"][1]


def test_a_resumed_fit_goes_on_counting(jobs: dict[str, Any]) -> None:
    resumed = jobs["plain"]["resumed"]
    assert_true(resumed)
    assert resumed["segment_count"] == 2
    assert "resumed" in resumed["findings"]
    assert {f"train_epoch {epoch}" for epoch in range(3)} <= set(resumed["energies"])


def test_no_thread_outlives_its_job(jobs: dict[str, Any]) -> None:
    assert jobs["plain"]["samplers"] == []
    assert jobs["failing"]["samplers"] == []


def test_an_error_of_the_user_passes_and_ends_the_recording(jobs: dict[str, Any]) -> None:
    assert jobs["failing"]["error"] == "the user's own"
    assert "interrupted" in jobs["failing"]["findings"]


def test_a_broken_sensor_is_one_warning_and_no_number(jobs: dict[str, Any]) -> None:
    told = jobs["without_sensor"]
    assert (told["epochs"], told["total"], told["energies"]) == (2, None, {})
    assert told["findings"] == ["measurement-lost"]
    assert not any(name.startswith("energy_j") for row in told["rows"] for name in row)
    assert jobs["stderr"].count("the driver is gone") == 1


def test_a_logger_and_a_folder_that_refuse_end_nothing(jobs: dict[str, Any]) -> None:
    told = jobs["refused"]
    assert told["epochs"] == 2
    assert set(told["failures"]) == {"log joules to Refusing", "write energy.json"}
    assert told["total"] is not None
    assert any(row["energy_j/fit"] for row in told["rows"])
    assert jobs["stderr"].count("quota exceeded") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_two_processes_of_one_host_open_its_sensors_once(jobs: dict[str, Any]) -> None:
    forked = jobs["forked"]
    assert forked["opened"] == ["opened"]
    assert forked["file"]["total_j"]["point"] > 0
    assert forked["file"]["segments"][0]["complete"] is True


def test_the_example_of_the_readme_runs(jobs: dict[str, Any]) -> None:
    told = jobs["documented"]
    assert told["failures"] == {}
    assert {f"train_epoch {epoch}" for epoch in range(3)} <= set(told["energies"])
