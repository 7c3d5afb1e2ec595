"""A recording beside forks, spawned children and an interpreter that ends without a word."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.virtual.nvml import Scenario, VirtualGpu
from tests.virtual.power import constant
from tests.virtual.process import environment

FORK = """
import json, os, time
import profiler
recording = profiler.record().start()
recording.begin("work")
time.sleep(0.5)
child = os.fork()
if child == 0:
    recording.end("work")
    energy = recording["work"]
    kinds = [finding.kind for finding in energy.findings]
    os._exit(0 if energy.energy_j is None and "forked" in kinds else 1)
status = os.waitpid(child, 0)[1]
time.sleep(0.8)
recording.end("work")
recording.stop()
gpu_j = recording["work"].channels["gpu:0"].energy_j
print(json.dumps([status, gpu_j.low, gpu_j.high, recording["work"].duration_s]))
"""

SPAWN = """
import multiprocessing, time
import profiler

def work(seconds):
    with profiler.record() as own:
        time.sleep(seconds)
    assert own.total.energy_j is not None

if __name__ == "__main__":
    with profiler.record() as recording, recording.window("children"):
        pool = multiprocessing.get_context("spawn").Pool(2)
        pool.map(work, [0.3, 0.3])
        pool.close()
        pool.join()
    assert recording["children"].energy_j is not None
    print("done")
"""

NEVER_STOPPED = """
import profiler, time
recording = profiler.record().start()
recording.begin("for ever")
time.sleep(0.3)
print(time.monotonic())
"""


def python(folder: Path, code: str) -> str:
    gpu = VirtualGpu(script=constant(300, 3600).at(time.monotonic()), phase_s=0.03)
    script = folder / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], env=environment(Scenario(gpus=(gpu,))),
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_fork_leaves_the_parent_measuring_and_the_child_honest(tmp_path: Path) -> None:
    status, low_j, high_j, seconds = json.loads(python(tmp_path, FORK))
    assert status == 0
    assert low_j * 0.999 <= 300 * seconds <= high_j * 1.001


def test_spawned_children_record_for_themselves(tmp_path: Path) -> None:
    assert python(tmp_path, SPAWN) == "done\n"


def test_an_interpreter_ends_at_once_with_a_recording_never_stopped(tmp_path: Path) -> None:
    said_s = float(python(tmp_path, NEVER_STOPPED))
    assert time.monotonic() - said_s < 5.0
