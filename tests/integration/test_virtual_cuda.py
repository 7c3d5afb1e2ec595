"""What only a GPU reaches, run to its end with stand-ins for CUDA and NVML; no number is judged."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.virtual import cuda
from tests.virtual.nvml import Scenario, VirtualGpu
from tests.virtual.power import constant
from tests.virtual.process import environment

pytestmark = pytest.mark.slow


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    gpu = VirtualGpu(script=constant(300, 60).at(time.monotonic()), uuid=f"GPU-{cuda.UUID}")
    return subprocess.run(
        [sys.executable, "-m", *words, "--device", "cuda", "--json"],
        cwd=folder,
        env={
            **environment(Scenario(gpus=(gpu,)), has_cuda=True),
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(folder),  # where a calibration is kept that is none
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_layers_are_timed_by_events_and_replayed_as_graphs(tmp_path: Path) -> None:
    done = run(
        tmp_path, "profiler", "layers", "--model", "lightweight", "--max-seconds", "3",
        "--batch-size", "2", "--processes", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["device"] == "cuda:0"
    assert found["latency_closure"] is not None
    assert found["energy_closure"] is not None


def test_a_model_is_measured_on_the_card_that_torch_names(tmp_path: Path) -> None:
    done = run(
        tmp_path, "profiler", "measure", "--model", "lightweight", "--max-seconds", "1",
        "--batch-size", "2", "--processes", "1", "--dtype", "bf16", "--channels-last",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (profile,) = json.loads(done.stdout)["profiles"]
    assert profile["energy_j"]["basis"] == "measured"
    assert profile["peak_memory_bytes"]["point"] == cuda.PEAK_BYTES


def test_a_training_runs_to_its_end(tmp_path: Path) -> None:
    done = run(
        tmp_path, "training", "train", "--recipe", "digits", "--model", "lightweight", "--epochs",
        "1", "--batch-size", "256", "--image-size", "8", "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (trained,) = json.loads(done.stdout)["runs"]
    assert trained["ledger"]["energy_j"]["basis"] == "measured"
