from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from profiler.cli import main
from profiler.store import save_run
from profiler.values.profile import HOST
from profiler.values.software_carbon import software_carbon
from tests.sample import sample_profile


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    old = sample_profile(batch_size=1, energy_j=9.0, created_utc="2026-01-01T00:00:00Z")
    save_run(old, "runs")
    return save_run(sample_profile(batch_size=1, energy_j=0.010), "runs")


def budget(text: str) -> str:
    Path("budget.toml").write_text(f'[[budget]]\nmodel = "lightweight"\n{text}\n')
    return "budget.toml"


@pytest.mark.parametrize(
    ("bound", "code", "word"),
    [("11 mJ", 0, "within"), ("5 mJ", 3, "over"), ("10 mJ", 4, "undecided")],
)
def test_the_exit_code_is_that_of_the_newest_run(runs, capsys, bound, code, word):
    file = budget(f'at_most = {{ energy_per_item_j = "{bound}" }}')
    assert main(["check", file]) == code
    shown = capsys.readouterr().out
    assert word in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert main(["check", file, "--json"]) == code
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert check["verdict"] == word
    assert check["seen"]["point"] == pytest.approx(0.010)


def test_over_wins_over_undecided_and_no_run_is_undecided(runs, capsys):
    both = '{ energy_j = "10 mJ", size_bytes = "1 kB" }'
    assert main(["check", budget(f"at_most = {both}")]) == 3
    file = budget('batch_size = 77\nat_most = { latency_s = "1 s" }')
    assert main(["check", file]) == 4
    assert "no run of it is stored" in " ".join(capsys.readouterr().out.split())
    assert main(["check", budget('at_most = { energy_j = "10 J" }'), runs.name]) == 0


def test_a_model_of_which_there_is_no_run_at_all_is_named_with_those_that_are(runs, capsys):
    Path("typo.toml").write_text('[[budget]]\nmodel = "smal"\nat_most = { energy_j = "1 J" }')
    assert main(["check", "typo.toml"]) == 4
    assert "no run of a model 'smal' is here: the runs are of " in capsys.readouterr().err


def test_a_broken_run_beside_the_others_decides_nothing(runs, capsys):
    (runs / "profile.json").write_text("{")
    assert main(["check", budget('at_most = { energy_j = "10 J" }')]) == 0
    assert f"left out {runs.name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("at_most = {", "is no TOML: "),
        ("size = 3", "budget[0] has the unknown field 'size'"),
        ('at_most = { energy_j = "3 s" }', "'3 s' is not a bound in J"),
        ('batch_size = "one"\nat_most = { energy_j = "3 J" }', "batch_size is not a whole number"),
    ],
)
def test_a_bad_budget_names_file_and_field_or_line(runs, capsys, text, message):
    assert main(["check", budget(text)]) == 2
    shown = capsys.readouterr().err
    assert "budget.toml" in shown
    assert message in shown
    assert "hint: " in shown


def test_an_empty_or_absent_budget_is_a_wrong_use(runs, capsys):
    Path("empty.toml").write_text("")
    for file in ("empty.toml", "nowhere.toml"):
        assert main(["check", file]) == 2
        assert file in capsys.readouterr().err


def test_sci_is_energy_times_intensity_without_what_nobody_measured(runs, capsys):
    score = software_carbon(sample_profile(batch_size=2, energy_j=7.2))
    assert score.operational_g.point == pytest.approx(3.6 / 3.6e6 * 369)
    assert score.embodied_g is None
    assert score.functional_unit == "1 image"
    assert main(["sci", runs.name]) == 0
    shown = capsys.readouterr().out
    assert "M, embodied emissions, is not measured" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "≥" in shown
    assert main(["sci", runs.name, "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["sci"]["embodied_g"] is None
    assert software_carbon(replace(sample_profile(), energy_j=None)) is None


def test_a_card_is_yaml_of_a_command_and_of_no_inference(runs, capsys):
    import yaml

    job = sample_profile(batch_size=1, energy_j=3.6e6)
    job = replace(job, workload=replace(job.workload, device=HOST, model="train.py"))
    named = replace(job.environment, device_name='A "fast"\nGPU: #1')
    path = save_run(replace(job, environment=named), "runs")
    words = ["card", path.name, "--country", "FRA", "--training-type", "fine-tuning"]
    assert main(words) == 0
    entry = yaml.safe_load(capsys.readouterr().out)["co2_eq_emissions"]
    assert entry["emissions"] == pytest.approx(56, rel=0.02)
    assert entry["geographical_location"] == "FRA"
    assert entry["training_type"] == "fine-tuning"
    assert entry["hardware_used"] == named.device_name
    assert "measured" in entry["source"]
    assert main(["card", runs.name]) == 2
    assert "is no run of one command" in capsys.readouterr().err


def test_the_grams_of_a_card_are_those_of_the_stored_factors_without_a_country(runs, capsys):
    import yaml

    job = sample_profile(energy_j=3.6e6)
    job = replace(job, workload=replace(job.workload, device=HOST))
    path = save_run(job, "runs")
    assert main(["card", path.name]) == 0
    entry = yaml.safe_load(capsys.readouterr().out)["co2_eq_emissions"]
    assert entry["emissions"] == pytest.approx(369)
    assert "geographical_location" not in entry
    blind = save_run(replace(job, energy_j=None), "runs")
    assert main(["card", blind.name]) == 2
