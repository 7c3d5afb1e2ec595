from __future__ import annotations

import time
from pathlib import Path

import pytest

from profiler.machine.cpu_account import CpuAccountant, CpuCounters


def tree(
    folder: Path, *, busy: int, stolen: int, ran_ns: int, waited_ns: int, cpu: int = 0
) -> Path:
    (folder / "self/task/7").mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text(f"cpu  {busy} 0 0 5000 9 0 0 {stolen} 0 0\ncpu0 1 2 3\n")
    (folder / "self/task/7/schedstat").write_text(f"{ran_ns} {waited_ns} 12\n")
    (folder / "self/sched").write_text("python (7, #threads: 1)\nse.nr_migrations    :    4\n")
    (folder / "self/stat").write_text("7 (py) th) " + " ".join(["0"] * 36) + f" {cpu} 0 0\n")
    return folder


def pause(counters: CpuCounters, seconds: float) -> None:
    while time.monotonic() < counters.time_s + seconds:
        time.sleep(seconds / 10)


def test_the_kernels_accounts_become_seconds_of_others_and_of_waiting(tmp_path: Path) -> None:
    accountant = CpuAccountant(tree(tmp_path, busy=100, stolen=5, ran_ns=0, waited_ns=0), tmp_path)
    first = accountant.read()
    pause(first, 0.05)
    tree(tmp_path, busy=9_100, stolen=205, ran_ns=40_000_000_000, waited_ns=20_000_000)
    account = accountant.between(first, accountant.read())
    assert account.stolen_s == pytest.approx(2.0)
    assert account.other_cpu_s is not None
    assert account.own_cpu_s is not None
    assert abs(account.other_cpu_s + account.own_cpu_s - 92.0) < 1e-9
    assert account.run_queue_wait_s == 0.02
    assert account.migration_count == 0
    assert account.frequency_hz is None


def test_a_thread_that_had_no_work_waits_for_nothing(tmp_path: Path) -> None:
    accountant = CpuAccountant(tree(tmp_path, busy=1, stolen=0, ran_ns=0, waited_ns=0), tmp_path)
    first = accountant.read()
    pause(first, 0.05)
    tree(tmp_path, busy=1, stolen=0, ran_ns=100, waited_ns=1_000_000)
    assert accountant.between(first, accountant.read()).run_queue_wait_s == 0.0


def test_the_frequency_is_that_of_the_cpu_it_ran_on(tmp_path: Path) -> None:
    accountant = CpuAccountant(
        tree(tmp_path, busy=1, stolen=0, ran_ns=0, waited_ns=0, cpu=3), tmp_path
    )
    folder = tmp_path / "devices/system/cpu/cpu3/cpufreq"
    folder.mkdir(parents=True)
    (folder / "scaling_cur_freq").write_text("2400000\n")
    counters = accountant.read()
    assert accountant.between(counters, counters).frequency_hz == 2.4e9


def test_a_kernel_that_shows_nothing_or_zeros_is_not_guessed(tmp_path: Path) -> None:
    silent = CpuAccountant(tmp_path / "absent", tmp_path)
    (tmp_path / "stat").write_text("cpu  0 0 0 0 0 0 0 0 0 0\n")
    for accountant in (silent, CpuAccountant(tmp_path, tmp_path)):
        account = accountant.between(accountant.read(), accountant.read())
        assert account.other_cpu_s is None
        assert account.stolen_s is None
        assert account.run_queue_wait_s is None
        assert account.migration_count is None
