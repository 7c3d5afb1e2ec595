import json
from dataclasses import replace

import pytest

from profiler.cli import main
from profiler.store import save
from profiler.values.profile import Environment
from tests.sample import measured, resnet18, sample_profile


@pytest.fixture
def stored(tmp_path):
    def store(name, profile):
        return str(save(profile, tmp_path / name))

    return store


def with_energy(factor, relative=0.001):
    return replace(sample_profile(), energy_j=measured(factor, relative, "J"))


def test_the_verdict_is_a_sentence(stored, capsys):
    assert main(["compare", stored("a", resnet18()), stored("b", sample_profile())]) == 0
    assert "lightweight takes less energy a call than resnet18" in capsys.readouterr().out


def test_the_same_run_twice_is_equal_as_far_as_its_interval_tells(stored, capsys):
    path = stored("a", sample_profile())
    assert main(["compare", path, path]) == 0
    assert "is equal within 5 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("factor", "code", "word"),
    [(1.0, 0, "pass"), (1.10, 3, "regression"), (1.05, 4, "inconclusive")],
)
def test_the_gate_sets_the_exit_code(stored, capsys, factor, code, word):
    arguments = [stored("a", with_energy(1.0)), stored("b", with_energy(factor))]
    assert main(["compare", *arguments, "--fail-above", "5%", "--noise", "0.1%"]) == code
    assert f"{word}: energy per call (gross)" in capsys.readouterr().out


def test_without_a_gate_a_worse_run_is_no_failure(stored):
    assert main(["compare", stored("a", sample_profile()), stored("b", resnet18())]) == 0


def test_the_gate_judges_the_metric_asked_for(stored):
    slower = replace(sample_profile(), latency_s=measured(0.002, 0.001, "s"))
    arguments = ["compare", stored("a", sample_profile()), stored("b", slower), "--fail-above=0.1"]
    assert main(arguments) == 0
    assert main([*arguments, "--metric", "latency_s"]) == 3
    assert main([*arguments, "--metric", "throughput_per_s"]) == 3


def test_another_environment_is_inconclusive(stored):
    other = replace(sample_profile(), environment=Environment(device_name="x", fingerprint="x"))
    paths = [stored("a", sample_profile()), stored("b", other)]
    assert main(["compare", *paths, "--fail-above", "50%"]) == 4


def test_folders_are_paired_by_batch_and_what_is_missing_is_inconclusive(tmp_path, stored, capsys):
    for size in (1, 128):
        stored(f"base/{size}", sample_profile(batch_size=size))
    stored("other/128", sample_profile())
    folders = [str(tmp_path / "base"), str(tmp_path / "other")]
    assert main(["compare", *folders, "--fail-above", "5%"]) == 4
    assert "only in A: lightweight, batch 1, fp32" in capsys.readouterr().out


def test_json_is_one_object_with_ratios_and_gates(stored, capsys):
    paths = [stored("a", resnet18()), stored("b", sample_profile())]
    assert main(["compare", *paths, "--json", "--fail-above", "5%"]) == 0
    document = json.loads(capsys.readouterr().out)
    (comparison,) = document["comparisons"]
    assert comparison["verdict"] == "less"
    assert comparison["energy_ratio"]["basis"] == "measured"
    assert comparison["ratios"]["parameter_count"]["ratio"]["confidence"] == 1.0
    assert document["gates"][0]["outcome"] == "pass"


def test_nothing_in_common_is_a_usage_error(tmp_path, stored, capsys):
    for size in (1, 2):
        stored(f"base/{size}", sample_profile(batch_size=size))
    stored("other/128", sample_profile())
    assert main(["compare", str(tmp_path / "base"), str(tmp_path / "other")]) == 2
    assert "no workload in common" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["much", "-5%", "150%", "nan"])
def test_a_share_that_is_none_is_a_usage_error(stored, capsys, share):
    path = stored("a", sample_profile())
    assert main(["compare", path, path, f"--fail-above={share}"]) == 2
    assert share in capsys.readouterr().err
