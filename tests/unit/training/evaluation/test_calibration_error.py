import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation.calibration_error import calibrate


def test_the_error_is_that_of_the_formula_by_hand():
    # Two bins: (0.8, 0.8667] with 0.85, 0.85, and (0.9333, 1] with 0.95, 0.95, 0.95, 1.0.
    confidences = np.array([0.85, 0.85, 0.95, 0.95, 0.95, 1.0])
    correct = np.array([True, False, True, True, True, False])
    by_hand = 2 / 6 * abs(0.5 - 0.85) + 4 / 6 * abs(0.75 - 3.85 / 4)
    assert calibrate(confidences, correct).error.point == pytest.approx(by_hand)


def test_an_edge_belongs_to_the_bin_below_it():
    # 0.2 = 3/15 is in ((2)/15, 3/15]; with 0.21 in one bin the gaps would cancel: 0.2 and -0.21.
    error = calibrate(np.array([0.2, 0.21]), np.array([False, True])).error
    assert error.point == pytest.approx((0.2 + 0.79) / 2)


def sample(temperature, count, seed):
    """Confidences, and answers that are right as often as their softened confidence says."""
    generator = np.random.default_rng(seed)
    odds = np.abs(generator.normal(2.5, 2.0, count))
    confidences = 1 / (1 + np.exp(-odds))
    return confidences, generator.random(count) < 1 / (1 + np.exp(-odds / temperature))


def test_a_calibrated_model_is_not_called_miscalibrated():
    found = calibrate(*sample(1.0, 450, seed=0))
    assert found.error.point > 0.01  # the bias: its true error is 0
    assert found.error.low == 0.0
    assert found.chance.point == pytest.approx(0.0326, rel=0.1)


def test_an_overconfident_model_is_found_out():
    confidences, correct = sample(2.0, 4000, seed=0)
    found = calibrate(confidences, correct)
    assert found.error.low > found.chance.point
    assert found.error.low <= 0.105 <= found.error.high


def test_the_interval_holds_the_truth_in_most_samples():
    truth = 0.0363  # of temperature 1.3, from four million images
    held = 0
    for seed in range(60):
        error = calibrate(*sample(1.3, 450, seed)).error
        held += error.low <= truth <= error.high
    assert held >= 52  # 95 % of 60 are 57; fewer than 52 has a probability of 1 %


answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(answers, st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    first, second = (
        calibrate(np.array([c for c, _ in some]), np.array([r for _, r in some]))
        for some in (pairs, shuffled)
    )
    assert first.error.point == pytest.approx(second.error.point)
    assert (first.error.low, first.error.high) == pytest.approx(
        (second.error.low, second.error.high)
    )
    assert 0 <= first.error.low <= first.error.point <= first.error.high


@pytest.mark.parametrize("confidences", [[], [1.5], [float("nan")]])
def test_what_is_no_confidence_is_refused(confidences):
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrate(np.array(confidences), np.ones(len(confidences), bool))
