import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.values.estimate import Basis
from training.evaluation.accuracy import (
    accuracy_over_seeds,
    mean_loss,
    top1_accuracy,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17, 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_published_examples(correct, total, low, high):
    share, found_low, found_high = wilson_interval(correct, total)
    assert share == correct / total
    assert (found_low, found_high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_mirrors_its_complement(counts):
    correct, total = counts
    share, low, high = wilson_interval(correct, total)
    _, mirrored_low, mirrored_high = wilson_interval(total - correct, total)
    assert 0 <= low <= share <= high <= 1
    assert low < high
    assert (low, high) == pytest.approx((1 - mirrored_high, 1 - mirrored_low), abs=1e-12)


def test_the_interval_covers_the_truth_in_about_95_of_100_samples():
    total, truth = 450, 0.9
    covered = 0.0
    for correct in range(total + 1):
        _, low, high = wilson_interval(correct, total)
        if low <= truth <= high:
            covered += math.comb(total, correct) * truth**correct * (1 - truth) ** (total - correct)
    assert covered == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("counts", [(1, 0), (-1, 10), (11, 10)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="not possible"):
        top1_accuracy(*counts, "test")


def test_an_accuracy_is_measured_and_names_its_images():
    accuracy = top1_accuracy(90, 100, "digits, 100 images")
    assert accuracy.point == 0.9
    assert accuracy.basis is Basis.MEASURED
    assert accuracy.source == "digits, 100 images"
    assert accuracy.confidence == 0.95


def test_several_seeds_give_a_t_interval():
    mean = accuracy_over_seeds([0.81, 0.82, 0.83], "3 seeds")
    assert mean.point == pytest.approx(0.82)
    assert mean.high - mean.point == pytest.approx(4.302653 * 0.01 / math.sqrt(3), rel=1e-6)
    assert mean.point - mean.low == pytest.approx(mean.high - mean.point)


def test_one_seed_alone_has_no_interval_over_seeds():
    mean = accuracy_over_seeds([0.82], "1 seed")
    assert (mean.point, mean.low, mean.high, mean.confidence) == (0.82, None, None, None)


@pytest.mark.parametrize("accuracies", [[], [0.5, 1.1], [math.nan]])
def test_what_is_no_accuracy_is_refused(accuracies):
    with pytest.raises(ValueError, match="between 0 and 1"):
        accuracy_over_seeds(accuracies, "seeds")


def test_a_mean_loss_has_the_interval_of_a_mean():
    loss = mean_loss([1.0, 2.0, 3.0], "loss")
    assert (loss.point, loss.unit) == (2.0, "nat")
    assert loss.low == 0.0  # 2 - 2.48, and a loss is never negative
    assert loss.high == pytest.approx(2 + 4.302653 / math.sqrt(3), rel=1e-6)
