"""Every measured call starts from the same state, and the given model keeps its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from profiler.counting import count
from profiler.machine.device import find_device
from profiler.workload.prepared import prepare
from tests.stateful import STATEFUL, Force, everything

CPU = find_device("cpu")
SHAPES: list[Any] = []  # global, so that it is no state of a model

NAMED = {
    "hooks at the first call": [],
    "a growing attribute": ["state-renewed"],
    "a streaming convolution": [],  # the same input leaves the same past
    "a growing cache": ["inputs-renewed"],
    "a batch that is written to": ["inputs-renewed"],
    "attributes of every kind": ["inputs-renewed", "state-renewed"],
}


@pytest.mark.parametrize("kind", STATEFUL)
def test_every_call_is_the_same_and_the_given_model_is_left_as_it_was(kind: str) -> None:
    build, make_inputs, mac_count = STATEFUL[kind]
    model, inputs = build(), make_inputs()
    before = everything(model, inputs)
    bench = prepare(model, inputs, CPU)
    counts = []
    for _ in range(3):
        bench.call()
        with bench.mode():
            bench.renew()
            counts.append(count(bench.model, bench.inputs).mac_count)
    assert set(counts) == {mac_count}
    assert everything(model, inputs) == before
    assert [finding.kind for finding in bench.findings] == NAMED[kind]


def watched(model: nn.Module, *inputs: Any) -> list[tuple[int, ...]]:
    """Shapes of the outputs of three calls after the model was laid out."""
    bench = prepare(model, inputs, CPU)
    SHAPES.clear()
    bench.model.register_forward_hook(lambda module, args, out: SHAPES.append(tuple(out.shape)))
    for _ in range(3):
        bench.call()
    return list(SHAPES)


def test_a_growing_cache_has_the_given_length_in_every_call() -> None:
    build, make_inputs, _ = STATEFUL["a growing cache"]
    assert watched(build(), *make_inputs()) == [(1, 11)] * 3
    build, make_inputs, _ = STATEFUL["a growing attribute"]
    assert watched(build(), make_inputs()) == [(1, 11)] * 3


def test_a_finding_names_what_is_put_back() -> None:
    build, make_inputs, _ = STATEFUL["a growing attribute"]
    (finding,) = prepare(build(), make_inputs(), CPU).findings
    assert "(k)" in finding.observed
    build, make_inputs, _ = STATEFUL["a growing cache"]
    (finding,) = prepare(build(), make_inputs(), CPU).findings
    assert "inputs[1].keys" in finding.observed


def test_what_is_set_up_once_stays() -> None:
    class Tabled(nn.Module):
        table: torch.Tensor | None = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.table is None:
                self.table = torch.arange(3.0)
                SHAPES.append("made")
            return x + self.table

    SHAPES.clear()
    bench = prepare(Tabled(), torch.ones(2, 3), CPU)
    bench.call()
    assert SHAPES == ["made"]
    assert bench.findings == ()


def test_a_flag_that_swings_stands_where_it_stood() -> None:
    class Swinging(nn.Module):
        on = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.on = not self.on
            return x[:1] if self.on else x

    assert watched(Swinging(), torch.ones(4, 3)) == [(1, 3)] * 3


def test_a_model_that_can_be_called_once_is_called_from_the_first_state() -> None:
    class Once(nn.Module):
        used = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.used:
                raise RuntimeError("used already")
            self.used = True
            return x

    bench = prepare(Once(), torch.ones(4, 3), CPU)
    bench.call()
    bench.call()
    assert [finding.kind for finding in bench.findings] == ["state-renewed"]


def test_random_numbers_are_the_same_in_every_call() -> None:
    class Drawing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[: int(torch.randint(1, 100, ()))]

    assert len(set(watched(Drawing(), torch.ones(100)))) == 1


def test_weights_that_every_call_writes_to_are_what_they_were() -> None:
    class Decaying(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.weight.data.mul_(0.5)
            SHAPES.append(float(self.weight.detach().sum()))
            return super().forward(x)

    model = Decaying(4, 4)
    bench = prepare(model, torch.ones(2, 4), CPU)
    SHAPES.clear()
    bench.call()
    bench.call()
    half = float(model.weight.detach().mul(0.5).sum())
    assert [half, half] == SHAPES
    assert [finding.kind for finding in bench.findings] == ["state-renewed"]
    assert "weight" in bench.findings[0].observed


def test_a_model_that_differentiates_is_called_with_gradients() -> None:
    bench = prepare(Force(), torch.ones(2, 8), CPU)
    bench.call()
    assert "gradients-on" in [finding.kind for finding in bench.findings]
