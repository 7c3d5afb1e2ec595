from __future__ import annotations

import subprocess
import sys

import pytest

from profiler.machine.allocator import ALLOCATORS, allocator_environment

SAY = "from profiler.machine.allocator import allocator_in_use; print(allocator_in_use())"
KEEP = "import resource as r; b = bytearray(1 << 26); del b; n = r.getrusage(0).ru_minflt; "
KEEP += "b = bytearray(1 << 26); print(r.getrusage(0).ru_minflt - n)"


def told(code: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(params=ALLOCATORS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_process_knows_what_it_was_started_with(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert told(SAY, allocator_environment(name, os.environ)) == name


def test_steady_memory_is_kept_and_the_systems_is_given_back(name: str) -> None:
    import os

    faults = int(told(KEEP, allocator_environment(name, os.environ)))
    pages = (1 << 26) // os.sysconf("SC_PAGE_SIZE")
    if name == "steady":
        assert faults < pages / 100
    else:
        assert faults > pages / 1000  # huge pages make few faults of many pages


def test_what_the_user_has_set_or_preloaded_stays() -> None:
    own = {"MALLOC_TRIM_THRESHOLD_": "1"}
    assert allocator_environment("steady", own)["MALLOC_TRIM_THRESHOLD_"] == "1"
    preloaded = {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}
    assert allocator_environment("steady", preloaded) == preloaded
