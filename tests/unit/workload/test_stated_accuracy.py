import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from profiler.cli import main
from profiler.comparison.verdicts import compare
from profiler.store import load_all
from profiler.values.codec import encode
from profiler.values.estimate import Basis, Estimate
from profiler.workload.stated_accuracy import read_accuracy, with_accuracy
from profiler.workload.target import resolve
from tests.sample import sample_profile

DATA = "cifar10: test split, 10000 images of 32x32"
FP32 = Estimate(
    point=0.84, low=0.833, high=0.847, unit="", confidence=0.95, basis=Basis.MEASURED,
    source=f"top-1: 8,400 of 10,000 images right, {DATA}",
)  # fmt: skip
BF16 = replace(FP32, point=0.8395)


def header(**changes):
    """What a training run writes, with parts replaced."""
    note = {"data": DATA, "by_dtype": {"bf16": encode(BF16), "fp32": encode(FP32)}}
    info = {
        "recipe": {"model": "lightweight"},
        "input_shape": [3, 32, 32],
        "notes": {"accuracy": note | changes.pop("note", {})},
    }
    return {"schema_version": 1, "kind": "weights", "info": info | changes}


@pytest.fixture
def checkpoint(tmp_path):
    def write(text, name="best.safetensors"):
        if not isinstance(text, str):
            text = json.dumps(text)
        save_file({"weight": torch.zeros(2)}, tmp_path / name, {"wattprof": text})
        return tmp_path / name

    return write


def bare(**workload):
    profile = replace(sample_profile(), accuracy=None)
    return replace(profile, workload=replace(profile.workload, **workload))


def test_the_accuracy_enters_the_profile_with_its_data_and_file(checkpoint):
    profile = with_accuracy(bare(), checkpoint(header()))
    assert (profile.accuracy.point, profile.accuracy.low) == (0.84, 0.833)
    assert profile.accuracy.basis is Basis.MEASURED
    for text in ("8,400 of 10,000 images", "cifar10: test split", "best.safetensors"):
        assert text in profile.accuracy.source
    assert profile.accuracy_data == DATA
    assert profile.findings == bare().findings


@pytest.mark.parametrize(
    ("workload", "changes", "reason"),
    [
        ({"dtype": "bf16"}, {}, "measured in bf16 throughout"),
        ({"input_shapes": ("128x3x64x64",)}, {}, "measured on 128x3x64x64"),
        ({}, {"recipe": {"model": "resnet18"}}, "trained as 'resnet18'"),
        ({}, {"note": {"by_dtype": {"bf16": encode(BF16)}}}, "evaluated in bf16"),
        ({}, {"note": {"by_dtype": {"fp32": 0.84}}}, "by_dtype.fp32 is not an object"),
        ({}, {"note": {"by_dtype": {"fp32": encode(replace(FP32, unit="%"))}}}, "is no share"),
        (
            {},
            {"note": {"by_dtype": {"fp32": encode(replace(FP32, point=1.2, high=1.3))}}},
            "is no share",
        ),
        (
            {},
            {"note": {"by_dtype": {"fp32": encode(replace(FP32, basis=Basis.QUOTED))}}},
            "is not measured",
        ),
        ({}, {"note": {"data": "cifar\x1b[2J"}}, "data is no printable text"),
        ({}, {"note": {"data": None}}, "data is not a text: null"),
        ({}, {"recipe": None}, "recipe is not an object: null"),
    ],
)
def test_one_that_does_not_hold_is_left_out_and_said_to_be(checkpoint, workload, changes, reason):
    profile = with_accuracy(bare(**workload), checkpoint(header(**changes)))
    assert (profile.accuracy, profile.accuracy_data) == (None, None)
    finding = profile.findings[-1]
    assert finding.kind == "accuracy-not-taken"
    assert reason in finding.observed


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[1]", '{"info": 3}'])
def test_a_damaged_header_is_a_finding_and_no_crash(checkpoint, text):
    profile = with_accuracy(bare(), checkpoint(text))
    assert profile.accuracy is None
    assert "its header cannot be read" in profile.findings[-1].observed


@pytest.mark.parametrize("notes", [None, {}, {"progress": {"loss": 1.0}}])
def test_a_run_without_test_split_states_nothing(checkpoint, notes):
    path = checkpoint(header(notes=notes))
    assert read_accuracy(path) is None
    assert with_accuracy(bare(), path) == bare()


def test_weights_of_other_programs_state_nothing(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "a.safetensors")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "a.pt")
    assert with_accuracy(bare(), tmp_path / "a.safetensors") == bare()
    assert with_accuracy(bare(), tmp_path / "a.pt") == bare()


def test_measure_puts_it_into_what_it_stores_and_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    weights = resolve("lightweight", num_classes=10).model.state_dict()
    save_file(weights, tmp_path / "best.safetensors", {"wattprof": json.dumps(header())})
    words = ["--model", "lightweight", "--classes", "10", "--checkpoint", "best.safetensors"]
    budget = ["--device", "cpu", "--max-seconds", "0.4", "--batch-size", "2", "--json"]
    budget += ["--processes", "1"]
    assert main(["measure", *words, *budget]) == 0
    (profile,) = json.loads(capsys.readouterr().out)["profiles"]
    assert profile["accuracy"]["point"] == 0.84
    assert profile["accuracy_data"] == DATA
    (stored,) = load_all("runs")
    assert (stored.accuracy.point, stored.accuracy_data) == (0.84, DATA)


def test_accuracies_on_different_images_are_not_compared():
    here = replace(sample_profile(), accuracy=FP32, accuracy_data=DATA)
    there = replace(sample_profile(), accuracy=BF16, accuracy_data="digits: test split")
    assert compare(here, replace(there, accuracy_data=DATA)).of("accuracy") is not None
    comparison = compare(here, there)
    assert comparison.of("accuracy") is None
    (finding,) = [f for f in comparison.findings if f.kind == "different-accuracy-data"]
    assert "digits" in finding.observed
    assert "cifar10" in finding.observed
