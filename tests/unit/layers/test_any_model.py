"""Models that are called in unusual ways have a table of layers like any other."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn

from profiler.layers import measure_layers
from profiler.layers.rows import counted_rows
from tests.stateful import STATEFUL, Force
from tests.unit.layers.samples import best_of_device, surveyed

pytestmark = pytest.mark.filterwarnings("ignore")


class Around(nn.Module):
    """Calls one module, so that it has a row of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner(*args, **kwargs)


def table(model: nn.Module, inputs: Any) -> dict[str, int]:
    report = measure_layers(
        model, inputs, device="cpu", max_seconds=0.2, meters=[], hardware=best_of_device()
    )
    return {row.path: row.mac_count for row in report.layers}


def padded_encoder() -> tuple[nn.Module, Any]:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    mask = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    inputs = ((torch.ones(2, 6, 16),), {"src_key_padding_mask": mask})
    return nn.TransformerEncoder(layer, 2).eval(), inputs


def old_norm() -> tuple[nn.Module, Any]:
    model = torch.nn.utils.weight_norm(nn.Linear(4, 4))
    model(torch.ones(2, 4))
    return Around(model), torch.ones(2, 4)


def lazy() -> tuple[nn.Module, Any]:
    return nn.Sequential(nn.LazyConv1d(4, 1), nn.LazyBatchNorm1d()), torch.ones(2, 3, 4)


def nested() -> tuple[nn.Module, Any]:
    parts = [torch.ones(2, 4), torch.ones(3, 4)]
    return Around(nn.Linear(4, 4)), torch.nested.nested_tensor(parts)


@pytest.mark.parametrize(
    ("build", "mac_count"),
    [(padded_encoder, 53760), (old_norm, 32), (lazy, 96), (nested, 80)],
)
def test_rows_of_what_could_not_be_measured(build: Any, mac_count: int) -> None:
    model, inputs = build()
    assert sum(table(model, inputs).values()) == mac_count


@pytest.mark.parametrize("kind", ["a growing cache", "a growing attribute"])
def test_rows_belong_to_a_call_from_the_given_state(kind: str) -> None:
    build, make_inputs, mac_count = STATEFUL[kind]
    assert table(Around(build()), make_inputs())["inner"] == mac_count


def test_layers_of_a_model_that_differentiates_are_measured() -> None:
    assert table(Around(Force()), torch.ones(2, 8))["inner.layer"] == 128


def test_work_in_a_thread_is_not_passed_over_in_silence() -> None:
    class Threaded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.aside = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: list[torch.Tensor] = []
            thread = threading.Thread(target=lambda: found.append(self.aside(x)))
            thread.start()
            thread.join()
            return found[0]

    _, (finding,) = counted_rows(surveyed(Threaded(), torch.ones(2, 8)))
    assert "Linear in another thread" in finding.observed
