"""Three checkpoints of two networks on digits: the first two differ by nothing but their names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from profiler.comparison.judging import LESS
from profiler.inputs import load_dataset
from profiler.workload.target import resolve
from training.checkpoints.checkpoint import save_weights
from training.checkpoints.header import Info
from training.cli import main
from training.recipe import Recipe


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What `compare --json` says of a network, its copy, and a variant with half of it zeroed."""
    folder = tmp_path_factory.mktemp("checkpoints")
    test = load_dataset("digits", "test")
    info = Info(
        recipe=Recipe(model="lightweight", data="digits"),
        class_names=test.class_names,
        input_shape=(3, 32, 32),
        normalization=test.normalization,
    )
    torch.manual_seed(0)
    weights = resolve("lightweight", num_classes=10).model.state_dict()
    for name in ("a", "b"):
        save_weights(folder / f"{name}.safetensors", info, weights)
    words = [
        str(folder / "a.safetensors"),
        str(folder / "b.safetensors"),
        f"lightweight+sparsify=0.9@{folder / 'a.safetensors'}",
    ]
    printed = Path(folder / "out.json")
    import contextlib

    with printed.open("w") as out, contextlib.redirect_stdout(out):
        flags = ["--max-seconds", "1.5", "--batch-size", "4", "--device", "cpu", "--threads", "1"]
        assert main(["compare", *words, *flags, "--json", "--quiet"]) == 0
    return json.loads(printed.read_text())


def test_the_same_weights_answer_alike_image_by_image(document: dict) -> None:
    side = document["side_by_side"]
    first, second, third = (model["profile"] for model in side["models"])
    assert first["right_answers"] == second["right_answers"]
    assert first["accuracy"]["point"] == second["accuracy"]["point"]
    assert first["accuracy_data"] == third["accuracy_data"] == side["data"]
    accuracy = side["comparisons"][0]["ratios"]["accuracy"]
    assert accuracy["ratio"]["point"] == 1
    assert accuracy["verdict"] != LESS
    assert "McNemar" in accuracy["ratio"]["source"]


def test_joules_are_measured_in_turns_of_the_images_of_the_split(document: dict) -> None:
    profiles = [model["profile"] for model in document["side_by_side"]["models"]]
    assert [profile["workload"]["batch_size"] for profile in profiles] == [4, 4, 4]
    assert profiles[2]["workload"]["model"] == "lightweight+sparsify=0.9"
    assert all(profile["repetition"]["blocks"] for profile in profiles)


def test_classes_add_up_to_the_whole(document: dict) -> None:
    for model in document["side_by_side"]["models"]:
        right = sum(
            round(one["accuracy"]["point"] * one["image_count"]) for one in model["per_class"]
        )
        whole = model["profile"]["accuracy"]["point"]
        assert right / sum(one["image_count"] for one in model["per_class"]) == pytest.approx(whole)
