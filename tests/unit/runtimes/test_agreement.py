"""Signal to noise and first guesses against known truths."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.errors import ExportError
from profiler.runtimes.agreement import Agreement, agreement, check_agreement, sqnr


def batches(count: int, size: int = 8, seed: int = 0) -> list[tuple[tuple[torch.Tensor], dict]]:
    generator = torch.Generator().manual_seed(seed)
    return [((torch.randn(size, 5, generator=generator),), {}) for _ in range(count)]


def same(x: torch.Tensor) -> torch.Tensor:
    return x


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 0.5))
def test_a_relative_error_is_its_decibels_and_has_no_spread(error: float) -> None:
    found = agreement(same, lambda x: x * (1 + error), batches(3), "noise").sqnr_db
    assert found is not None
    assert found.point == pytest.approx(-20 * math.log10(error), abs=0.01)
    assert found.half_width == pytest.approx(0, abs=0.05)


def test_the_same_answers_are_infinitely_alike() -> None:
    found = agreement(same, same, batches(2), "noise")
    assert found.sqnr_db is not None
    assert (found.sqnr_db.point, found.sqnr_db.low) == (math.inf, None)
    assert found.top1 is not None
    assert found.top1.point == 1


def test_the_interval_of_decibels_holds_the_truth_as_often_as_it_says() -> None:
    generator = torch.Generator().manual_seed(1)
    truth, held, trials = 20.0, 0, 400
    for _ in range(trials):
        signals = torch.empty(60).exponential_(1.0, generator=generator)
        noises = torch.empty(60).exponential_(1 / 0.01, generator=generator)
        found = sqnr((signals + 1).tolist(), (2 * noises).tolist(), "draws")
        held += found.low <= truth <= found.high
    # Three standard deviations of a binomial of 95 %.
    assert held / trials == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / trials))


def test_first_guesses_are_counted_item_by_item() -> None:
    def shifted_for_the_last(x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x[:6], x[6:].roll(1, dims=1)))

    found = agreement(same, shifted_for_the_last, batches(5), "noise").top1
    assert found is not None
    assert found.point == 0.75
    assert found.source.startswith("40 items of noise")


def test_repeated_items_tell_nothing_more() -> None:
    found = agreement(same, same, batches(5), "noise", item_count=10).top1
    assert found is not None
    assert found.source.startswith("10 items")


def test_answers_of_another_shape_are_refused() -> None:
    with pytest.raises(ExportError, match="answers with shapes"):
        agreement(same, lambda x: x[:1], batches(1), "noise")


@pytest.mark.parametrize(("who", "broken"), [("the run-time", False), ("the model itself", True)])
def test_answers_that_are_no_numbers_are_refused(who: str, broken: bool) -> None:
    def nan(x: torch.Tensor) -> torch.Tensor:
        return x * math.nan

    with pytest.raises(ExportError, match=f"{who} answers with NaN"):
        agreement(nan if broken else same, nan, batches(1), "noise")


def test_a_run_time_that_changes_the_answer_is_refused_with_what_was_found_and_asked() -> None:
    found = agreement(same, lambda x: x * 1.5, batches(2), "noise")
    with pytest.raises(ExportError, match=r"agree with eager torch to 6.0 dB, and 10 dB is the l"):
        check_agreement(found, runtime="openvino", precision="int8")


def test_another_first_guess_for_most_items_is_refused() -> None:
    found = agreement(same, lambda x: x.roll(1, dims=1), batches(5), "noise")
    with pytest.raises(ExportError, match="first guess is that of eager torch for 0%"):
        check_agreement(
            Agreement(sqnr_db=None, top1=found.top1), runtime="openvino", precision="int8"
        )
