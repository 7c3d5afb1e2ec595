"""Counting puts back whatever a call can change, so that every count is the first."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from profiler.counting import count
from profiler.counting.state import Snapshot
from profiler.errors import MeasurementError
from tests.stateful import STATEFUL, Generating, everything


@pytest.mark.parametrize("kind", STATEFUL)
def test_two_counts_are_equal_and_leave_everything_as_it_was(kind: str) -> None:
    build, make_inputs, mac_count = STATEFUL[kind]
    model, inputs = build(), make_inputs()
    before = everything(model, inputs)
    parameters = [(p, p.data_ptr()) for p in model.parameters()]
    assert [count(model, inputs).mac_count for _ in range(2)] == [mac_count] * 2
    assert everything(model, inputs) == before
    assert [(p, p.data_ptr()) for p in model.parameters()] == parameters


def test_after_a_count_a_model_gives_what_it_would_have_given() -> None:
    build, make_inputs, _ = STATEFUL["hooks at the first call"]
    torch.manual_seed(0)
    untouched = build()(make_inputs())
    torch.manual_seed(0)
    model = build()
    count(model, make_inputs())
    assert torch.equal(model(make_inputs()), untouched)


def test_a_generator_is_refused_since_its_work_comes_later() -> None:
    with pytest.raises(MeasurementError, match="returned a generator"):
        count(Generating(), torch.ones(2, 8))


def test_a_snapshot_says_where_something_changed() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    model[0].seen = {"shapes": []}
    inputs: dict[str, Any] = {"x": torch.ones(3, 2)}
    before = Snapshot(("", model), ("inputs", inputs))
    model(inputs["x"])
    inputs["y"] = 1
    model[0].seen["shapes"].append(3)
    assert sorted(change.path for change in before.changes()) == [
        "0.num_batches_tracked", "0.running_mean", "0.running_var", "0.seen['shapes']",
        "inputs['y']",
    ]  # fmt: skip
    before.put_back()
    assert list(before.changes()) == []


def test_a_tensor_with_holes_is_not_taken_for_changed() -> None:
    model = nn.Module()
    model.x = torch.tensor([1.0, float("nan")])
    assert list(Snapshot(("", model)).changes()) == []


def test_an_input_that_was_drawn_into_a_graph_is_cut_out_of_it() -> None:
    class Scaled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.mul_(self.weight[0, 0]))

    x = torch.ones(2, 8)
    count(Scaled(8, 8), x)
    assert x.is_leaf
    assert not x.requires_grad
    assert torch.equal(x, torch.ones(2, 8))


@pytest.mark.filterwarnings("ignore")
def test_state_inside_torchscript_is_put_back() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls: int = 0
            self.total = torch.zeros(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            self.total = self.total + x
            return x * self.calls

    model = torch.jit.script(Counting())
    count(model, torch.ones(3))
    assert model.calls == 0
    assert model.total.sum() == 0
