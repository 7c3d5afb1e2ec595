import math
import random
from dataclasses import replace

import pytest

from profiler.comparison.ratio import ratio_of
from profiler.comparison.run_to_run import REPRODUCIBILITY
from profiler.comparison.verdicts import compare
from profiler.values.estimate import Basis, counted
from profiler.values.profile import Environment, Workload
from profiler.values.trace import Window
from tests.sample import NVML, measured, resnet18, sample_profile


def test_numbers_without_an_interval_give_a_ratio_without_a_verdict():
    comparison = compare(sample_profile(), sample_profile())
    row = comparison.of("accuracy")
    assert row.ratio.low is None
    assert row.verdict is None


def test_lightweight_takes_less_than_resnet18():
    comparison = compare(resnet18(), sample_profile())
    assert comparison.verdict == "less"
    assert comparison.energy_ratio.point == pytest.approx(0.312 / 4.61)
    assert comparison.latency_ratio.high < 0.13
    assert compare(sample_profile(), resnet18()).verdict == "more"


def test_counts_compare_exactly():
    row = compare(resnet18(), sample_profile()).of("parameter_count")
    assert row.ratio.point == row.ratio.low == row.ratio.high == 258_292 / 11_220_132
    assert row.ratio.confidence == 1.0
    assert row.verdict == "less"
    one_more = replace(resnet18(), parameter_count=counted(11_220_133, "", "test"))
    assert compare(resnet18(), one_more).of("parameter_count").verdict == "more"


@pytest.mark.parametrize("cpu", [True, False])
def test_two_runs_of_one_thing_are_told_apart_in_fewer_than_1_of_20_comparisons(cpu):
    """Runs drift by the assumed reproducibility, far beyond what each one's interval says."""
    rng = random.Random(1)
    spread = REPRODUCIBILITY["cpu" if cpu else "cuda"]

    def run():
        true = 0.312 * math.exp(rng.gauss(0, spread)) * math.exp(rng.gauss(0, 0.002))
        energy = replace(
            sample_profile(cpu=cpu).energy_j, point=true, low=true * 0.996, high=true * 1.004
        )
        return replace(sample_profile(cpu=cpu), energy_j=energy)

    told_apart = sum(compare(run(), run()).verdict in ("less", "more") for _ in range(1000))
    assert told_apart / 1000 < 0.05


def test_a_significant_difference_below_one_percent_is_no_verdict():
    base = replace(sample_profile(), energy_j=measured(1.0, 0.0001, "J"))
    other = replace(sample_profile(), energy_j=measured(1.005, 0.0001, "J"))
    assert compare(base, other, noise=0.0).verdict == "equal within 1 %"
    clear = replace(sample_profile(), energy_j=measured(1.02, 0.0001, "J"))
    assert compare(base, clear, noise=0.0).verdict == "more"


def test_other_batch_sizes_are_compared_per_item():
    other = sample_profile(batch_size=1, energy_j=0.312 / 128, latency_s=0.00123 / 128)
    comparison = compare(sample_profile(), other)
    assert comparison.per_item
    assert comparison.energy_ratio.point == pytest.approx(1.0)
    assert "different-batch-size" in [finding.kind for finding in comparison.findings]
    assert "energy_j" not in [row.key for row in comparison.ratios]


def test_another_environment_is_a_finding_that_names_what_changed():
    environment = Environment(
        device_name="NVIDIA A100", fingerprint="other", facts={"torch": "2.11.0"}
    )
    comparison = compare(sample_profile(), replace(sample_profile(), environment=environment))
    assert not comparison.same_environment
    (finding,) = (item for item in comparison.findings if item.kind == "different-environment")
    assert "NVIDIA A100" in finding.observed
    assert "torch 2.15.0 / 2.11.0" in finding.observed


def test_other_settings_are_findings():
    workload = replace(sample_profile().workload, dtype="bf16", compiled=True)
    comparison = compare(sample_profile(), replace(sample_profile(), workload=workload))
    assert [item.kind for item in comparison.findings] == ["different-dtype", "different-compiled"]


def test_a_ratio_of_estimates_says_so():
    comparison = compare(resnet18(cpu=True), sample_profile(cpu=True))
    assert comparison.energy_ratio.basis is Basis.ESTIMATED
    assert "estimate-only" in [finding.kind for finding in comparison.findings]


def test_without_energy_there_is_no_verdict():
    silent = replace(sample_profile(), energy_j=None)
    comparison = compare(silent, sample_profile())
    assert comparison.verdict is None
    assert comparison.energy_ratio is None


def test_an_unknown_device_is_taken_for_the_noisiest():
    workload = Workload(model="m", device="xpu:0", batch_size=128)
    profile = replace(sample_profile(), workload=workload)
    assert compare(profile, profile).noise_base == max(REPRODUCIBILITY.values())


def with_blocks(*durations_s):
    windows = tuple(
        Window(name="block", start_s=10.0 * index, end_s=10.0 * index + length, iteration_count=10)
        for index, length in enumerate(durations_s)
    )
    return replace(sample_profile(), windows=windows)


def test_both_runs_bring_their_own_noise():
    comparison = compare(sample_profile(), sample_profile(), noise=0.03)
    energy = ratio_of(
        sample_profile().energy_j, sample_profile().energy_j, noise=0.03 * math.sqrt(2)
    )
    assert comparison.energy_ratio.high == pytest.approx(energy.high)


def test_a_run_whose_blocks_drift_is_taken_to_drift_between_runs():
    steady, busy = with_blocks(1.0, 1.0, 1.0, 1.0), with_blocks(0.9, 1.1, 1.0, 1.0)
    comparison = compare(steady, busy)
    assert comparison.noise_base == REPRODUCIBILITY["cuda"]
    assert comparison.noise_other == pytest.approx(math.sqrt(0.02 / 3))
    slower = replace(busy, energy_j=measured(0.312 * 1.1, 0.001, "J", source=NVML))
    assert compare(steady, slower).verdict == "no detectable difference"
    assert compare(steady, slower, noise=0.01).verdict == "more"


def test_two_blocks_say_nothing_about_a_spread():
    assert compare(with_blocks(1.0, 2.0), with_blocks()).noise_base == REPRODUCIBILITY["cuda"]


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_noise_that_is_no_standard_deviation_is_refused(noise):
    with pytest.raises(ValueError, match="relative standard deviation"):
        compare(sample_profile(), sample_profile(), noise=noise)
