from dataclasses import replace

import pytest

from profiler.comparison.gate import judge
from profiler.comparison.verdicts import compare
from profiler.values.profile import Environment
from tests.sample import measured, sample_profile


def gate(factor, tolerance=0.05, metric="energy_j", relative=0.001):
    base = replace(sample_profile(), energy_j=measured(1.0, relative, "J"))
    other = replace(sample_profile(), energy_j=measured(factor, relative, "J"))
    return judge(compare(base, other, noise=0.0), metric, tolerance)


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [(1.0, "pass"), (0.5, "pass"), (1.04, "pass"), (1.05, "inconclusive"), (1.06, "regression")],
)
def test_the_interval_decides(factor, outcome):
    assert gate(factor).outcome == outcome


def test_the_reason_holds_the_numbers():
    assert gate(1.06).reason == (
        "energy per call (gross) is 1.0600 ± 0.0015x the base: worse by more than the 5 % allowed"
    )


@pytest.mark.parametrize(("slower", "outcome"), [(1.0, "pass"), (0.5, "pass"), (1.2, "regression")])
def test_throughput_is_worse_when_it_is_less(slower, outcome):
    base = replace(sample_profile(), latency_s=measured(1.0, 0.001, "s"))
    other = replace(sample_profile(), latency_s=measured(slower, 0.001, "s"))
    comparison = compare(base, other, noise=0.0)
    assert judge(comparison, "throughput_per_s", 0.05).outcome == outcome


def test_another_environment_cannot_be_judged():
    other = replace(
        sample_profile(), environment=Environment(device_name="other", fingerprint="other")
    )
    assert judge(compare(sample_profile(), other), "energy_j", 0.5).outcome == "inconclusive"


def test_what_was_not_seen_or_has_no_interval_cannot_be_judged():
    silent = replace(sample_profile(), energy_j=None)
    assert judge(compare(silent, silent), "energy_j", 0.05).outcome == "inconclusive"
    same = compare(sample_profile(), sample_profile())
    assert judge(same, "accuracy", 0.05).outcome == "inconclusive"


def test_counts_are_judged_exactly():
    other = replace(
        sample_profile(), parameter_count=replace(
            sample_profile().parameter_count, point=300_000, low=300_000, high=300_000
        )
    )  # fmt: skip
    comparison = compare(sample_profile(), other)
    assert judge(comparison, "parameter_count", 0.05).outcome == "regression"
    assert judge(comparison, "parameter_count", 0.20).outcome == "pass"
