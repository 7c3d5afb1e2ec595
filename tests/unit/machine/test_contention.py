from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from profiler.comparison.gate import judge
from profiler.comparison.verdicts import compare
from profiler.machine.contention import CpuWatch, is_contended
from profiler.values.findings import contended
from tests.sample import sample_profile


def test_a_machine_that_does_nothing_else_is_not_contended(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 5000 0 0 0 0 0 0\n")
    watch = CpuWatch(stat)
    other_cpus = watch.other_cpus()
    assert other_cpus == 0.0
    assert not is_contended(other_cpus, threads=2, cpu_count=2)


def test_busy_ticks_of_others_are_seen(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 5000 0 0 0 0 0 0\n")
    watch = CpuWatch(stat)
    stat.write_text("cpu  100 0 100 5000 0 0 0 90000 0 0\n")  # stolen by the hypervisor
    other_cpus = watch.other_cpus()
    assert other_cpus is not None
    assert other_cpus > 1


def test_a_kernel_that_does_not_tell_is_not_guessed(tmp_path: Path) -> None:
    assert CpuWatch(tmp_path / "absent").other_cpus() is None


@pytest.mark.parametrize(
    ("other_cpus", "threads", "expected"),
    [(0.2, 2, False), (0.9, 1, False), (0.9, 2, True), (1.5, 1, True)],
)
def test_contention_is_threads_that_lack_a_cpu(
    other_cpus: float, threads: int, expected: bool
) -> None:
    assert is_contended(other_cpus, threads, cpu_count=2) is expected


def test_a_contended_run_has_no_ratio_to_another() -> None:
    base = sample_profile(cpu=True)
    slower = replace(base, latency_s=base.latency_s.scaled(20, "s"))
    assert compare(base, slower).of("latency_s").verdict == "more"
    shared = replace(slower, findings=(*slower.findings, contended(0.9, 2, 2)))
    comparison = compare(base, shared)
    for key in ("latency_s", "energy_j", "power_w", "carbon_per_million_g"):
        assert (comparison.of(key).ratio, comparison.of(key).verdict) == (None, None)
    assert comparison.of("mac_count").verdict == "equal"
    assert comparison.findings[0].kind == "contended"
    gate = judge(comparison, "latency_s", 0.05)
    assert gate.outcome == "inconclusive"
    assert "other work" in gate.reason
