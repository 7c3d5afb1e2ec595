from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.comparison.paired_accuracy import paired_accuracy
from profiler.comparison.verdicts import compare
from profiler.values.profile import Profile
from tests.sample import measured, sample_profile


def with_answers(right: str, data: str = "cifar10: test") -> Profile:
    """One character an image: 1 where it was answered rightly."""
    accuracy = measured(right.count("1") / len(right), 0.02, "")
    digits = f"{int(right, 2):0{len(right) // 4}x}"
    return replace(sample_profile(), accuracy=accuracy, accuracy_data=data, right_answers=digits)


SHARED = "1" * 160 + "0" * 20


def test_many_images_that_one_alone_got_right_tell_two_models_apart() -> None:
    base, other = with_answers(SHARED + "0" * 18 + "1" * 2), with_answers(SHARED + "1" * 18 + "00")
    row = compare(base, other).of("accuracy")
    assert row is not None
    assert row.verdict == "more"
    assert row.ratio is not None
    assert row.ratio.point == pytest.approx(178 / 162)
    assert "2 right by the first alone, 18 by the second alone" in row.ratio.source
    # 2 * P(X <= 2) for 20 tosses.
    assert "p = 0.0004" in row.ratio.source


def test_as_many_lost_as_won_is_no_difference_however_small_the_intervals_of_each() -> None:
    base, other = (
        with_answers(SHARED + "1" * 10 + "0" * 10),
        with_answers(SHARED + "0" * 10 + "1" * 10),
    )
    row = compare(base, other).of("accuracy")
    assert row is not None
    assert row.verdict == "no detectable difference"  # 170 right each, 20 told apart: ± 5.3 %
    assert "p = 1" in row.ratio.source  # type: ignore[union-attr]  # it has one


def test_the_same_answers_are_equal() -> None:
    pair = paired_accuracy(with_answers(SHARED), with_answers(SHARED))
    assert pair is not None
    assert pair[1] == "equal"


def test_other_images_are_no_pair() -> None:
    assert paired_accuracy(with_answers(SHARED), with_answers(SHARED, "digits: test")) is None
    assert paired_accuracy(with_answers(SHARED), with_answers(SHARED * 2)) is None
    assert paired_accuracy(with_answers(SHARED), sample_profile()) is None
