"""`python -m profiler run -- CMD` as a real process that meets a virtual H100."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profiler.recording.journal import JOURNAL_FILE, recover
from tests.virtual.nvml import Fault, Scenario, VirtualGpu
from tests.virtual.power import constant
from tests.virtual.process import environment

RUN = [sys.executable, "-m", "profiler", "run"]


def machine(*faults: Fault) -> dict[str, str]:
    gpu = VirtualGpu(script=constant(300, 3600).at(time.monotonic()), phase_s=0.03, faults=faults)
    return {**environment(Scenario(gpus=(gpu,))), "OMP_NUM_THREADS": "1"}


def run(folder: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, "--out", str(folder / "runs"), *words],
        env=machine(), capture_output=True, text=True, timeout=60, check=False, cwd=folder,
        **options,
    )  # type: ignore[call-overload, no-any-return]  # fmt: skip  # subprocess's own options


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*RUN, "--out", str(folder / "runs"), "--", *words],
        env=machine(), text=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert path.exists()


def test_one_json_object_on_stdout_and_the_childs_stdout_on_stderr(tmp_path: Path) -> None:
    done = run(tmp_path, "--json", "--", "sh", "-c", "echo hello; sleep 1.5; exit 3")
    assert done.returncode == 3
    assert "hello" in done.stderr
    document = json.loads(done.stdout)
    (profile,) = document["profiles"]
    parts = {part["device"]: part for part in profile["energy_parts"]}
    seconds = profile["latency_s"]["point"]
    assert parts["gpu:0"]["energy_j"]["point"] == pytest.approx(300 * seconds, rel=0.01)
    assert profile["workload"]["model"].startswith("sh -c")


def test_stdin_and_stdout_pass_through_untouched(tmp_path: Path) -> None:
    done = run(tmp_path, "--", "cat", input="1\n2\n")
    assert (done.returncode, done.stdout) == (0, "1\n2\n")
    assert "J" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"), [(("no-such-command",), 127), (("/etc/passwd",), 126), (("false",), 1)]
)
def test_exit_codes_are_those_of_a_shell(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    done = run(tmp_path, "--", *words)
    assert done.returncode == code
    if code > 1:
        assert words[0] in done.stderr
        assert "Traceback" not in done.stderr
        assert not list((tmp_path / "runs").glob("*"))


def test_a_crash_still_gets_its_report_and_its_code(tmp_path: Path) -> None:
    done = run(tmp_path, "--json", "--", "sh", "-c", "sleep 0.5; kill -SEGV $$")
    assert done.returncode == 128 + signal.SIGSEGV
    assert json.loads(done.stdout)["profiles"][0]["latency_s"]["point"] > 0.4


def test_a_signal_reaches_the_child_and_the_report_still_comes(tmp_path: Path) -> None:
    script = "trap 'echo caught; exit 7' TERM; touch ready; while :; do sleep 0.05; done"
    process = start(tmp_path, "sh", "-c", script)
    wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 7
    assert out == "caught\n"
    assert "stored in" in err


def test_a_child_killed_by_a_signal_is_128_and_its_number(tmp_path: Path) -> None:
    process = start(tmp_path, "sh", "-c", "touch ready; exec sleep 30")
    wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM


def test_what_was_ignored_before_stays_ignored(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["nohup", *RUN, "--out", str(tmp_path / "runs"), "--", "sh", "-c",
         "kill -HUP $$; echo survived"],
        env=machine(), text=True, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "survived\n")


def test_a_folder_that_cannot_be_written_warns_and_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [*RUN, "--out", str(tmp_path / "file" / "runs"), "--", "echo", "ran"],
        env=machine(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "warning" in done.stderr
    assert "hint" in done.stderr


def test_the_live_line_is_for_terminals_only(tmp_path: Path) -> None:
    assert "\x1b[K" not in run(tmp_path, "--", "sleep", "0.8").stderr
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*RUN, "--out", str(tmp_path / "runs"), "--", "sleep", "1.4"],
        env=machine(), stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while select.select([master], [], [], 30)[0]:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    process.wait(timeout=30)
    os.close(master)
    assert b"J so far" in shown
    assert shown.count(b"\r\x1b[K") >= 2


def test_a_killed_profiler_leaves_what_it_saw_until_a_second_before(tmp_path: Path) -> None:
    process = start(tmp_path, "sh", "-c", "touch ready; exec sleep 5")
    wait_for(tmp_path / "ready")
    time.sleep(3.0)
    process.kill()
    killed_s = time.monotonic()
    process.wait(timeout=30)
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    (partial,) = (tmp_path / "runs").glob("*.partial")
    traces, windows = recover(partial / JOURNAL_FILE)
    last_s = max(trace.last_seen_s or 0.0 for trace in traces)
    assert killed_s - last_s < 1.8
    assert [window.end_s for window in windows] == [None]
    words = [sys.executable, "-m", "profiler", "verify", "--json", str(partial)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    (window,) = json.loads(done.stdout)["recovered"]
    gpu = next(trace for trace in traces if trace.channel.device == "gpu:0")
    assert gpu.channel.device == "gpu:0"
    assert window["duration_s"] > 1.0


def test_verify_recomputes_every_joule_of_a_stored_run(tmp_path: Path) -> None:
    assert run(tmp_path, "--name", "nap", "--", "sleep", "0.8").returncode == 0
    (stored,) = (tmp_path / "runs").iterdir()
    words = [sys.executable, "-m", "profiler", "verify", "--json", str(stored)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["holds"] is True
    assert {check["agrees"] for check in document["runs"][0]["checks"]} == {True}


def test_a_gpu_lost_midway_gives_no_number_for_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [*RUN, "--out", str(tmp_path / "runs"), "--json", "--", "sleep", "4"],
        env=machine(Fault("lost", 2.5)), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (profile,) = json.loads(done.stdout)["profiles"]
    assert "gpu:0" not in {part["device"] for part in profile["energy_parts"]}
    assert "sensor-lost" in {finding["kind"] for finding in profile["findings"]}
    assert profile["energy_j"] is None


COUNTS = """
import os, signal, sys, time
seen = []
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
    signal.signal(number, lambda n, frame: seen.append(n))
open("ready", "w").close()
end_s = time.monotonic() + 20
while len(seen) < 3 and time.monotonic() < end_s:
    time.sleep(0.02)
time.sleep(0.5)
print(sorted(seen))
"""


@pytest.mark.parametrize("whom", ["us alone", "the group"])
def test_a_signal_reaches_the_command_once(tmp_path: Path, whom: str) -> None:
    process = subprocess.Popen(
        [*RUN, "--out", str(tmp_path / "runs"), "--", sys.executable, "-c", COUNTS],
        env=machine(), text=True, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    wait_for(tmp_path / "ready")
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        if whom == "us alone":
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
        time.sleep(0.2)
    out, _ = process.communicate(timeout=60)
    expected = sorted(map(int, (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)))
    assert out == f"{expected}\n"
    assert process.returncode == 0


def test_a_full_disk_is_told_in_one_true_sentence(tmp_path: Path) -> None:
    fill = f"rm -rf {tmp_path}/runs/*; rmdir {tmp_path}/runs; touch {tmp_path}/runs"
    done = run(tmp_path, "--", "sh", "-c", fill)
    assert done.returncode == 0
    assert "not stored" in done.stderr
    assert "stored in" not in done.stderr


def test_names_that_are_no_utf_8_and_an_ascii_stdout_lose_no_run(tmp_path: Path) -> None:
    folder = tmp_path / b"odd \xff".decode(errors="surrogateescape")
    folder.mkdir()
    for options in ((), ("--json",)):
        done = subprocess.run(
            [*RUN, "--out", str(folder), *options, "--", "echo", b"\xfe"],
            env={**machine(), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert b"unexpected" not in done.stderr
    (profile,) = json.loads(done.stdout)["profiles"]
    assert profile["workload"]["model"] == "echo '\\xfe'"
    stored = sorted(path for path in folder.iterdir())
    assert len(stored) == 2
    words = [sys.executable, "-m", "profiler", "report", str(stored[0])]
    shown = subprocess.run(
        words, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr


def test_sensors_can_be_left_out(tmp_path: Path) -> None:
    done = run(tmp_path, "--without", "gpu", "--json", "--", "true")
    (profile,) = json.loads(done.stdout)["profiles"]
    assert "gpu:0" not in {part["device"] for part in profile["energy_parts"]}
    done = run(tmp_path, "--sensors", "gpu:7", "--", "true")
    assert done.returncode == 2
    assert "'gpu:7'" in done.stderr
    assert "gpu:0" in done.stderr
