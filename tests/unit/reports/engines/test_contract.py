"""Every engine: devices are exclusive, whatever befalls a job is its end, and none outlives it."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reports.engines import ENGINES, Engine, EngineJob, JobEnd

DEVICES = ("first", "second")
RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


@pytest.fixture(
    scope="module",
    params=["local", pytest.param("ray", marks=[RAY, pytest.mark.slow])],
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = ENGINES[request.param](DEVICES, None)
    yield made
    made.close()


def job(folder: Path, name: str, code: str, device: str = "first") -> EngineJob:
    return EngineJob(
        name=name,
        device=f"{device}",
        command=("-c", code),
        folder=folder / name,
        cwd=folder,
    )


def ends(engine: Engine, count: int) -> dict[str, JobEnd]:
    found: dict[str, JobEnd] = {}
    limit_s = time.monotonic() + 30
    while len(found) < count and time.monotonic() < limit_s:
        found |= {end.name: end for end in engine.wait(0.2)}
    return found


MEETING = """
import pathlib, time
pathlib.Path("{name}.here").touch()
limit_s = time.monotonic() + 20
while not pathlib.Path("{other}.here").exists():
    assert time.monotonic() < limit_s, "the other one never came"
    time.sleep(0.02)
"""
STAMPED = "import time; print(time.monotonic()); time.sleep(0.1); print(time.monotonic())"


def test_what_a_job_prints_and_how_it_ends_are_kept(engine: Engine, tmp_path: Path) -> None:
    engine.submit(job(tmp_path, "good", "import sys; print('out'); print('log', file=sys.stderr)"))
    engine.submit(job(tmp_path, "bad", "raise SystemExit(7)"))
    found = ends(engine, 2)
    assert (found["good"].exit_code, found["bad"].exit_code) == (0, 7)
    assert (tmp_path / "good" / "output.txt").read_text() == "out\n"
    assert (tmp_path / "good" / "log.txt").read_text() == "log\n"
    assert found["good"].duration_s > 0


def test_jobs_of_one_device_follow_one_another(engine: Engine, tmp_path: Path) -> None:
    for name in "ab":
        engine.submit(job(tmp_path, name, STAMPED))
    ends(engine, 2)
    one, other = (
        [float(line) for line in (tmp_path / name / "output.txt").read_text().split()]
        for name in "ab"
    )
    assert one[1] <= other[0] or other[1] <= one[0]


def test_jobs_of_two_devices_run_at_the_same_time(engine: Engine, tmp_path: Path) -> None:
    for name, other in (("first", "second"), ("second", "first")):
        engine.submit(job(tmp_path, name, MEETING.format(name=name, other=other), name))
    assert [end.exit_code for end in ends(engine, 2).values()] == [0, 0]


def test_a_job_whose_worker_is_killed_is_an_end_and_the_others_go_on(
    engine: Engine, tmp_path: Path
) -> None:
    # The worker is the parent; of the local engine this is our own process, so its job is killed.
    waits = "import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(60)"
    engine.submit(job(tmp_path, "killed", waits, "first"))
    engine.submit(job(tmp_path, "other", "print('well')", "second"))
    output = tmp_path / "killed" / "output.txt"
    limit_s = time.monotonic() + 30
    while not (output.exists() and output.read_text().strip()) and time.monotonic() < limit_s:
        time.sleep(0.05)
    parent, child = map(int, output.read_text().split())
    os.kill(child if parent == os.getpid() else parent, signal.SIGKILL)
    found = ends(engine, 2)
    assert found["other"].exit_code == 0
    assert found["killed"].exit_code == -signal.SIGKILL or "died" in found["killed"].reason
    limit_s = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < limit_s:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()
    engine.submit(job(tmp_path, "next", "print('free again')", "first"))
    assert ends(engine, 1)["next"].exit_code == 0


def test_close_stops_what_runs_as_ctrl_c_would(tmp_path: Path) -> None:
    engine = ENGINES["local"](DEVICES, None)
    code = (
        "import time\nprint('begun', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('kept')"
    )
    engine.submit(job(tmp_path, "long", code))
    output = tmp_path / "long" / "output.txt"
    while not (output.exists() and output.read_text()):
        time.sleep(0.02)
    engine.submit(job(tmp_path, "waiting", "print(1)"))
    engine.close()
    assert output.read_text() == "begun\nkept\n"
    assert not (tmp_path / "waiting" / "output.txt").exists()


def test_a_job_is_ended_at_its_limit_as_ctrl_c_would(engine: Engine, tmp_path: Path) -> None:
    code = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(130)"
    engine.submit(replace(job(tmp_path, "long", code), limit_s=1.5))
    engine.submit(replace(job(tmp_path, "short", "print(1)"), limit_s=60))
    found = ends(engine, 2)
    assert found["long"].reason == "was ended at its limit of 2 s"
    assert found["long"].exit_code == 130
    assert found["short"].reason == ""


def test_the_variables_that_are_asked_for_reach_the_command(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    asked = EngineJob(
        name="variables",
        device="first",
        command=("-c", "import os; print(os.environ.get('OMP_NUM_THREADS'), os.environ['X'])"),
        folder=tmp_path / "variables",
        cwd=tmp_path,
        environment={"X": "y"},
    )
    engine.submit(asked)
    ends(engine, 1)
    assert (tmp_path / "variables" / "output.txt").read_text() == "3 y\n"
