"""Training from a user's own project, whose names are theirs: its models, images and `training`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.processes import environment

HOSTILE = "print('HOSTILE')\nimport os\nos._exit(99)\n"
NET = """
from torch import nn
def pair():
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2))
"""
WORDS = (
    *("--device", "cpu", "--threads", "1", "--epochs", "1", "--batch-size", "8"),
    *("--crop-padding", "1", "--learning-rate", "0.01", "--dtype", "fp32"),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module in a package `models`, photos of two classes, and what must not be run."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("models.py", "training.py", "reports.py", "profiler.py"):
        (folder / name).write_text(HOSTILE)
    (folder / "models").mkdir()
    (folder / "models" / "mynet.py").write_text(NET)
    for label, colour in (("day", 200), ("night", 20)):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(20):
            picture = Image.new("RGB", (8, 8), (colour, colour, number))
            picture.save(folder / "photos" / label / f"{number}.png")
    return folder


def train(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "training", *words], cwd=project, env=environment(),
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_own_models_and_a_folder_without_a_split_are_trained(project: Path) -> None:
    words = ("--model", "models.mynet:pair", "--data", "folder:photos", "--out", "run")
    done = train(project, "train", *words, *WORDS, "--json")
    assert done.returncode == 0, done.stderr
    assert "HOSTILE" not in done.stdout + done.stderr
    (outcome,) = json.loads(done.stdout)["runs"]
    # The factory takes no num_classes, and has one output a class.
    assert outcome["recipe"]["model"] == "models.mynet:pair"
    assert outcome["confusion"]["class_names"] == ["day", "night"]
    assert "20 %" in outcome["data"] or "8 " in outcome["data"]
