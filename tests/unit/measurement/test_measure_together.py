"""The library's own way to measure models in turns, in the process that calls it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import profiler
from profiler.errors import UsageError


def test_models_by_name_become_profiles_of_one_series_and_say_that_one_process_ran_them() -> None:
    x = torch.randn(4, 8)
    models = {"narrow": (nn.Linear(8, 2), x), "wide": (nn.Linear(8, 64), {"input": x})}
    profiles = profiler.measure_together(models, device="cpu", max_seconds=0.6, meters=())
    assert list(profiles) == ["narrow", "wide"]
    narrow, wide = profiles.values()
    assert (narrow.name, wide.name) == ("narrow", "wide")
    assert narrow.repetition is not None
    assert wide.repetition is not None
    assert narrow.repetition.series == wide.repetition.series
    rounds = [block.round for block in narrow.repetition.blocks]
    assert rounds == [block.round for block in wide.repetition.blocks]
    assert narrow.repetition.turns
    for one, other in zip(narrow.repetition.turns, wide.repetition.turns, strict=True):
        assert (one.round, one.start_s) == (other.round, other.start_s)
        assert len(one.latencies_s) == len(other.latencies_s) >= 2
    for profile in profiles.values():
        assert "one-process" in {finding.kind for finding in profile.findings}
        timed = [window for window in profile.windows if window.iteration_count]
        assert len(timed) == len(profile.repetition.counted)  # type: ignore[union-attr]  # as above


def test_no_model_and_a_budget_that_is_none_are_refused() -> None:
    with pytest.raises(UsageError, match="no model was given"):
        profiler.measure_together({}, device="cpu")
    with pytest.raises(UsageError, match="a budget of 0 s"):
        profiler.measure_together(
            {"a": (nn.Linear(2, 2), torch.randn(1, 2))}, device="cpu", max_seconds=0
        )
