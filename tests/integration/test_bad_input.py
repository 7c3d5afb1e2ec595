"""What only a process can show: signals, pipes, and what is left on the disk."""

import os
import signal
import subprocess
import time

import pytest

from tests.integration.processes import COMMAND, TINY, environment, run

SLOW_NET = """
import pathlib
import time
from torch import nn
class Net(nn.Module):
    def forward(self, x):
        pathlib.Path("called").touch()
        time.sleep(0.05)
        return x.relu()
"""


def wait_for(path, process, seconds=120):
    end_s = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end_s
        time.sleep(0.02)


@pytest.mark.parametrize(("pause_s", "processes"), [(0.0, "1"), (1.0, "1"), (0.5, "2")])
def test_control_c_ends_a_measurement_in_two_lines_and_leaves_nothing(tmp_path, pause_s, processes):
    (tmp_path / "net.py").write_text(SLOW_NET)
    words = ["measure", "--model", "net.py:Net", "--device", "cpu", "--max-seconds", "60"]
    words += ["--json"]
    with subprocess.Popen(
        [
            *COMMAND,
            *words,
            "--batch-size",
            "1",
            "--data",
            "synthetic",
            "--json",
            "--processes",
            processes,
        ],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(tmp_path / "called", process)
        time.sleep(pause_s)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "nothing was stored\ninterrupted\n")
    assert list((tmp_path / "runs").glob("*")) == []
    assert sorted(set(os.listdir(tmp_path)) - {"runs", "__pycache__"}) == ["called", "net.py"]


def test_runs_that_start_together_are_all_stored(tmp_path):
    words = [*COMMAND, "measure", "--model", "lightweight", *TINY, "--json"]
    processes = [
        subprocess.Popen(
            words,
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [process.wait(timeout=200) for process in processes] == [0, 0]
    assert len(os.listdir(tmp_path / "runs")) == 2


def test_a_file_where_runs_should_be_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "runs").write_text("mine")
    process = run(tmp_path, "measure", "--model", "lightweight", *TINY)
    assert process.returncode == 1
    assert process.stderr.startswith("error: runs cannot be written to runs")
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_reader_that_goes_away_during_a_measurement_is_not_talked_about(tmp_path):
    words = [*COMMAND, "measure", "--model", "lightweight", *TINY, "--json", "--quiet"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert len(os.listdir(tmp_path / "runs")) == 1
