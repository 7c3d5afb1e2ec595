"""Real Hugging Face trainers with the callback, in processes of their own: they load slowly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.processes import ROOT, environment

pytest.importorskip("transformers", reason='needs `pip install "wattprof[huggingface]"`')
pytest.importorskip("accelerate", reason='needs `pip install "wattprof[huggingface]"`')

JOB = [sys.executable, "-m", "tests.integration.hosts.huggingface_job"]
OFFLINE = {"HF_HUB_OFFLINE": "1"}
README = (ROOT / "README.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```python\n([^`]*integrations\.huggingface[^`]*)^```$", README, re.M)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("huggingface")
    (folder / "example.py").write_text(EXAMPLE, encoding="utf-8")
    done = subprocess.run(
        JOB, cwd=folder, env=environment() | OFFLINE, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert isinstance(result, dict)
    return {**result, "stderr": done.stderr}


def assert_true(told: dict[str, Any]) -> None:
    """100 W for as long as it was recorded: the interval holds it."""
    low, _, high = told["total"]
    assert low <= told["expected_j"] * 1.05
    assert told["expected_j"] * 0.95 <= high
    assert told["failures"] == {}


def joules_lines(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    return [line for line in lines if any(name.startswith("energy_j/") for name in line)]


def test_train_has_joules_for_every_epoch_evaluation_and_save(jobs: dict[str, Any]) -> None:
    told = jobs["plain"]["train"]
    low, _, high = told["total"]
    assert low <= told["expected_j"] * 1.05
    assert told["expected_j"] * 0.95 <= high
    stages = {
        f"{stage} {epoch}" for stage in ("train_epoch", "evaluate", "save") for epoch in (0, 1)
    }
    assert set(told["energies"]) == {"train", *stages}
    assert None not in told["energies"].values()


def test_an_evaluation_outside_train_is_counted_where_it_is_enclosed(jobs: dict[str, Any]) -> None:
    before, after = jobs["plain"]["train"], jobs["plain"]["all"]
    assert after["segment_count"] == 2
    assert after["energies"]["evaluate"] is not None
    assert after["energies"]["evaluate 0"] == before["energies"]["evaluate 0"]


def test_reporters_get_floats_before_they_close(jobs: dict[str, Any]) -> None:
    *epochs, last = joules_lines(jobs["plain"]["lines"])
    for epoch in (1.0, 2.0):
        names = [name for line in epochs if line["epoch"] == epoch for name in line]
        stages = [name for name in names if name.startswith("energy_j/") and "share" not in name]
        assert sorted(stages) == ["energy_j/evaluate", "energy_j/save", "energy_j/train_epoch"]
    energies = jobs["plain"]["train"]["energies"]
    assert last["energy_j/train"] == pytest.approx(energies["train"][1])
    assert set(jobs["plain"]["train"]["failures"]) == {"log joules to RefusingReporter"}


def test_the_closing_line_of_the_history_stays_the_trainers(jobs: dict[str, Any]) -> None:
    *_, last = jobs["plain"]["history"]
    assert "train_loss" in last
    assert last["energy_j/train"] == pytest.approx(jobs["plain"]["train"]["energies"]["train"][1])
    told = {name for line in jobs["plain"]["history"] for name in line}
    assert {"energy_j/train_epoch", "energy_j/evaluate", "energy_j/save"} <= told


def test_the_model_card_gets_its_entry(jobs: dict[str, Any]) -> None:
    card = jobs["plain"]["card"]
    assert card["geographical_location"] == "FRA"
    assert 0 < card["emissions"] < 1


@pytest.mark.parametrize("restoring", ["False", "True"])
def test_a_resumed_job_goes_on_counting_in_the_callback_that_the_user_holds(
    jobs: dict[str, Any], restoring: str
) -> None:
    told = jobs["resumed"][restoring]
    assert_true(told)
    assert told["segment_count"] == 2
    assert told["findings"][0] == "resumed"
    assert {"train_epoch 0", "train_epoch 1"} <= set(told["energies"])


def test_each_train_has_its_own_joules(jobs: dict[str, Any]) -> None:
    told, (first, last) = jobs["several"]["twice"], jobs["several"]["logged"]
    energies = told["energies"]
    assert_true(told)
    assert {"train", "train (run 2)", "train (run 3)"} <= set(energies)
    assert first == pytest.approx(energies["train"][1])
    assert last == pytest.approx(energies["train (run 3)"][1])
    assert {"train_epoch 0", "train_epoch 0 (run 3)"} <= set(energies)
    assert told["findings"][0] == "interrupted"


def test_attempts_at_a_batch_that_fits_are_itemised(jobs: dict[str, Any]) -> None:
    told = jobs["several"]["searched"]
    assert_true(told)
    assert {"train", "train (attempt 1)", "train (attempt 2)"} <= set(told["energies"])
    assert told["energies"]["train"] == told["total"]
    assert "train_epoch 0" in told["energies"]
    assert "train (run 2)" not in told["energies"]


def test_a_job_may_get_the_callback_after_its_first_checkpoint(jobs: dict[str, Any]) -> None:
    assert_true(jobs["joined_late"])
    assert jobs["joined_late"]["steps"] == 8


def test_an_error_of_the_user_passes_and_ends_the_recording(jobs: dict[str, Any]) -> None:
    told = jobs["failing"]
    assert told["error"] == "the user's own"
    assert told["samplers"] == []
    assert told["findings"][0] == "interrupted"
    assert jobs["plain"]["samplers"] == []


def test_a_broken_sensor_is_one_warning_and_no_number(jobs: dict[str, Any]) -> None:
    told = jobs["without_sensor"]
    assert (told["steps"], told["total"], told["energies"]) == (8, None, {})
    assert joules_lines(told["lines"]) == []
    assert jobs["stderr"].count("the driver is gone") == 1


def test_a_file_that_cannot_be_written_ends_nothing(jobs: dict[str, Any]) -> None:
    told = jobs["unwritable"]
    assert told["steps"] == 4
    assert set(told["failures"]) == {"write energy.json"}
    assert told["total"] is not None


def test_the_example_of_the_readme_runs(jobs: dict[str, Any]) -> None:
    told = jobs["documented"]
    assert told["failures"] == {}
    assert "train" in told["energies"]


def test_the_first_of_two_hosts_gets_the_joules_of_both(jobs: dict[str, Any]) -> None:
    first, second = jobs["two_hosts"]
    assert first["failures"] == second["failures"] == {}
    assert "one-host" in second["findings"]
    assert first["total"][1] == pytest.approx(second["total"][1] + first["expected_j"], rel=0.3)
    names = {name for line in first["lines"] for name in line}
    assert {"energy_j/host_0/train_epoch", "energy_j/train"} <= names
    assert "energy_j/train_epoch" not in names
    assert joules_lines(second["lines"]) == []
