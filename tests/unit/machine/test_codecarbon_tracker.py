"""The process beside a measurement: whatever becomes of it, the measurement goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profiler.errors import StoreError
from profiler.machine import codecarbon_tracker
from profiler.machine.carbon import carbon_factors
from profiler.machine.codecarbon_tracker import (
    SWITCH,
    CodeCarbonOptions,
    CodeCarbonTracker,
    codecarbon_options,
)
from profiler.meters.nvml_asleep import SleepingGpus
from profiler.values.estimate import Basis

ANSWER = {
    "event": "stopped",
    "version": "3.3.2",
    "tracking_mode": "machine",
    "start_s": 10.0,
    "end_s": 12.0,
    "parts": {
        "cpu": {"energy_kwh": 1e-5, "is_measured": True, "how": "RAPL"},
        "ram": {"energy_kwh": 2e-5, "is_measured": False, "how": "power assumed"},
    },
    "emissions_g": 0.5,
    "cpu_s": 0.02,
    "startup_cpu_s": 1.4,
    "complaint": "",
    "is_file_written": False,
}
READY = 'say({"event": "ready"})\n'
STARTED = 'assert hear() == "start\\n"\nsay({"event": "started"})\n'
STOPPED = f'assert hear() == "stop\\n"\nsay({ANSWER!r})\n'
FOREVER = "time.sleep(600)\n"


def runner(folder: Path, body: str) -> Path:
    """A stand-in for the process that tracks."""
    path = folder / "runner.py"
    head = (
        "import json, os, signal, sys, time\n"
        "settings, hear = json.loads(sys.argv[1]), sys.stdin.readline\n"
        "def say(answer):\n    print(json.dumps(answer), flush=True)\n"
    )
    path.write_text(head + body, encoding="utf-8")
    return path


def tracked(
    script: Path, options: CodeCarbonOptions | None = None, patience_s: float = 30.0
) -> CodeCarbonTracker:
    tracker = CodeCarbonTracker(
        options or CodeCarbonOptions(), carbon=carbon_factors(country="FRA", pue=1.5),
        script=script, ready_s=patience_s, answer_s=patience_s,
    )  # fmt: skip
    with tracker, tracker.tracking():
        pass
    return tracker


def test_what_it_says_becomes_numbers_with_their_bases(tmp_path: Path) -> None:
    tracker = tracked(runner(tmp_path, READY + STARTED + STOPPED))
    reading = tracker.reading
    assert reading is not None
    assert tracker.findings == ()
    assert {d: (p.point, p.basis) for d, p in reading.parts.items()} == {
        "cpu": (1e-5, Basis.MEASURED),
        "ram": (2e-5, Basis.ESTIMATED),
    }
    assert (reading.start_s, reading.end_s, reading.cpu_s.point) == (10.0, 12.0, 0.02)
    assert reading.emissions_g is not None
    assert "France" in reading.emissions_g.source
    assert reading.emissions_g.basis is Basis.QUOTED  # as ours: the weakest of what it is made of


def test_it_is_told_our_factors_and_what_to_write(tmp_path: Path) -> None:
    note = tmp_path / "settings.json"
    body = f"open({str(note)!r}, 'w').write(sys.argv[1])\n" + READY + STARTED + STOPPED
    options = CodeCarbonOptions(country="FRA", emissions_file=tmp_path / "emissions.csv")
    tracker = tracked(runner(tmp_path, body), options)
    settings = json.loads(note.read_text(encoding="utf-8"))
    assert settings["country"] == "FRA"
    assert settings["pue"] == 1.5
    assert settings["intensity_g_per_kwh"] == pytest.approx(56.039, rel=0.01)
    assert (settings["output_dir"], settings["output_file"]) == (str(tmp_path), "emissions.csv")
    (finding,) = tracker.findings
    assert "could not write" in finding.observed


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit(3)\n", "exit code 3"),
        ('say({"event": "failed", "reason": "ImportError: no pandas"})\n', "no pandas"),
        ("print('hello', flush=True)\n" + FOREVER, "it said 'hello'"),
        ("print('[1]', flush=True)\n" + FOREVER, "it said '[1]'"),
        (READY + "os.kill(os.getpid(), signal.SIGKILL)\n", "exit code -9"),
        (READY + STARTED + "os.kill(os.getpid(), signal.SIGKILL)\n", "exit code -9"),
        (READY + STARTED + "print('{', flush=True)\n", "it said '{'"),
    ],
)
def test_one_that_dies_or_talks_nonsense_is_a_finding(
    tmp_path: Path, body: str, reason: str
) -> None:
    tracker = tracked(runner(tmp_path, body))
    (finding,) = tracker.findings
    assert tracker.reading is None
    assert finding.kind == "codecarbon-lost"
    assert reason in finding.observed
    assert "--no-codecarbon" in finding.remedy


@pytest.mark.parametrize("body", [FOREVER, READY + FOREVER, READY + STARTED + FOREVER])
def test_one_that_hangs_is_ended_and_a_finding(tmp_path: Path, body: str) -> None:
    note = tmp_path / "pid"
    script = runner(tmp_path, f"open({str(note)!r}, 'w').write(str(os.getpid()))\n" + body)
    # Long enough to get as far as it goes on any machine is not needed: it is lost either way.
    tracker = tracked(script, patience_s=1.0)
    (finding,) = tracker.findings
    assert "within 1 s" in finding.observed
    assert not note.exists() or not is_alive(int(note.read_text(encoding="utf-8")))


def test_a_device_that_it_did_not_see_is_said(tmp_path: Path) -> None:
    answer = {**ANSWER, "parts": {}, "complaint": "Failed to retrieve gpu information"}
    body = READY + STARTED + f'assert hear() == "stop\\n"\nsay({answer!r})\n'
    tracker = CodeCarbonTracker(
        CodeCarbonOptions(), gpu_identities=["GPU-a"], carbon=carbon_factors(),
        script=runner(tmp_path, body),
    )  # fmt: skip
    with tracker, tracker.tracking():
        pass
    assert [f.observed.partition("see ")[2] for f in tracker.findings] == [
        f"{device}: Failed to retrieve gpu information" for device in ("cpu", "gpu", "ram")
    ]


def test_grams_at_an_intensity_that_is_not_ours_are_left_out(tmp_path: Path) -> None:
    body = f'assert hear() == "stop\\n"\nsay({ {**ANSWER, "emissions_g": None}!r})\n'
    tracker = tracked(runner(tmp_path, READY + STARTED + body))
    assert tracker.reading is not None
    assert tracker.reading.emissions_g is None
    assert [finding.kind for finding in tracker.findings] == ["codecarbon-intensity"]


def test_without_the_package_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecarbon_tracker, "package_folder", lambda: None)
    tracker = tracked(Path("never run"))
    (finding,) = tracker.findings
    assert "not installed" in finding.observed
    assert "pip install" in finding.remedy


def test_an_interpreter_that_cannot_be_started_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    (finding,) = tracked(Path("never run")).findings
    assert "cannot be started" in finding.observed


def test_left_out_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    tracker = CodeCarbonTracker(None, carbon=carbon_factors())
    with tracker, tracker.tracking():
        pass
    assert (tracker.reading, tracker.findings) == (None, ())


def test_an_interruption_passes_and_ends_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    body = READY + f"open({str(note)!r}, 'w').write(str(os.getpid()))\n" + STARTED + FOREVER
    tracker = CodeCarbonTracker(
        CodeCarbonOptions(), carbon=carbon_factors(), script=runner(tmp_path, body)
    )
    with pytest.raises(KeyboardInterrupt), tracker, tracker.tracking():
        raise KeyboardInterrupt
    assert tracker.reading is None
    assert not is_alive(int(note.read_text(encoding="utf-8")))


def test_it_ends_when_the_measuring_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import time\n"
        "from profiler.machine.carbon import carbon_factors\n"
        "from profiler.machine.codecarbon_tracker import CodeCarbonOptions, CodeCarbonTracker\n"
        "tracker = CodeCarbonTracker(CodeCarbonOptions(), carbon=carbon_factors())\n"
        "with tracker:\n    print(tracker._process.pid, flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as own:
        assert own.stdout is not None
        pid = int(own.stdout.readline())
        assert is_alive(pid)
        own.send_signal(signal.SIGKILL)
    deadline_s = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_the_switch_and_the_flag_leave_it_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "emissions.csv"
    assert codecarbon_options(is_wanted=True) is None  # the tests' own switch
    assert codecarbon_options(is_wanted=True, emissions_file=file) is not None
    monkeypatch.delenv(SWITCH)
    assert codecarbon_options(is_wanted=False) is None
    options = codecarbon_options(is_wanted=True, country="fra")
    assert options == CodeCarbonOptions(country="FRA")


@pytest.mark.parametrize("name", ["absent/emissions.csv", "."])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(StoreError, match="cannot be written") as caught:
        codecarbon_options(is_wanted=True, emissions_file=tmp_path / name)
    assert "--emissions" in str(caught.value.hint)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX" and os.path.exists(f"/proc/{pid}")


def test_gpus_that_sleep_are_not_woken_for_a_second_opinion(tmp_path: Path) -> None:
    folder = tmp_path / "0000:01:00.0"
    (folder / "power").mkdir(parents=True)
    (folder / "vendor").write_text("0x10de\n")
    (folder / "class").write_text("0x030200\n")
    (folder / "power" / "runtime_status").write_text("suspended\n")
    script = runner(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    tracker = CodeCarbonTracker(
        CodeCarbonOptions(), carbon=carbon_factors(), script=script, sleeping=SleepingGpus(tmp_path)
    )
    with tracker, tracker.tracking():
        pass
    assert tracker.reading is None
    assert "asleep" in tracker.findings[0].observed
    assert not (tmp_path / "ran").exists()
