"""Several models in turns, in processes of their own: what only real processes can show."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.processes import TINY, run

NETS = """
import os
from torch import nn
class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3072, 64)
        print("chatter")
    def forward(self, x):
        return self.layer(x.flatten(1))
class B(A):
    def forward(self, x):
        return self.layer(x.flatten(1)) + self.layer(x.flatten(1))
class Dies(A):
    def forward(self, x):
        os._exit(7)
class Raises(A):
    def forward(self, x):
        raise ValueError("boom")
"""
BUDGET = ("--data", "synthetic", "--max-seconds", "3", "--processes", "2", "--json")


def test_two_models_share_every_round_in_fresh_processes(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    words = ("--model", "nets.py:A", "--model", "nets.py:B", *TINY, *BUDGET)
    process = run(tmp_path, "measure", *words)
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("chatter") == 4
    first, second = json.loads(process.stdout)["profiles"]
    assert (first["name"], second["name"]) == ("A", "B")
    assert first["workload"]["allocator"] == "steady"
    assert second["mac_count"]["point"] == 2 * first["mac_count"]["point"]
    assert first["repetition"]["series"] == second["repetition"]["series"]
    for profile in (first, second):
        blocks = profile["repetition"]["blocks"]
        assert {block["process"] for block in blocks} == {0, 1}
        assert all(block["account"]["minor_fault_count"] is not None for block in blocks)
        assert "one-process" not in {finding["kind"] for finding in profile["findings"]}
    stored = sorted(path.name for path in (tmp_path / "runs").iterdir())
    for name in stored:
        assert run(tmp_path, "verify", name).returncode == 0
    told = run(tmp_path, "compare", *stored, "--json").stdout
    assert json.loads(told)["comparisons"][0]["ratios"]["mac_count"]["verdict"] == "more"


def test_a_worker_that_fails_or_dies_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    for name, about in (("Raises", "the model raised ValueError: boom"), ("Dies", "exit code 7")):
        process = run(tmp_path, "measure", "--model", f"nets.py:{name}", *TINY, *BUDGET)
        assert (process.returncode, process.stdout) == (1, "")
        (error,) = (line for line in process.stderr.splitlines() if line.startswith("error: "))
        assert about in error
        assert not list((tmp_path / "runs").glob("*"))
