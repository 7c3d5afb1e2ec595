"""A user's folder that holds names of ours: theirs are theirs, and ours stay ours."""

import json

import pytest

from profiler.store import save_run
from tests.integration.processes import TINY, run
from tests.sample import sample_profile

HOSTILE = "print('HOSTILE')\nimport os\nos._exit(99)\n"
NET = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 2)
    def forward(self, x):
        return self.layer(x.flatten(1)[:, :8])
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("models.py", "training.py", "reports.py"):
        (tmp_path / name).write_text(HOSTILE)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mynet.py").write_text(NET)
    save_run(sample_profile(), tmp_path / "runs")
    return tmp_path


def test_the_name_of_the_zoo_is_ours(folder):
    process = run(folder, "measure", "--model", "lightweight", *TINY, "--json")
    assert process.returncode == 0
    assert json.loads(process.stdout)["profiles"][0]["mac_count"]["point"] == 12_159_488


def test_a_class_of_the_folders_own_models_is_theirs(folder):
    process = run(folder, "measure", "--model", "models.mynet:Net", *TINY, "--json")
    assert process.returncode == 0
    (profile,) = json.loads(process.stdout)["profiles"]
    assert (profile["name"], profile["mac_count"]["point"]) == ("Net", 16)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("stats", "--model", "lightweight", "--json"),
        ("stats", "--model", "models.mynet:Net", "--json"),
        ("stats", "--model", "torchvision:resnet18", "--depth", "0"),
        ("doctor", "--seconds", "0.2"),
        ("report", "runs"),
        ("report", "runs", "--format", "html"),
        ("compare", "runs", "runs"),
        ("runs",),
        ("sci", "runs"),
        ("run", "--", "true"),
        ("score", "--parameters", "1", "--macs", "1"),
    ],
    ids=" ".join,
)
def test_every_verb_works_there(words, folder):
    process = run(folder, *words)
    assert process.returncode == 0
    assert "HOSTILE" not in process.stdout + process.stderr
