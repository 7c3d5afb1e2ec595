"""The backward pass is counted apart from the forward, by the module whose gradient it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from profiler.counting import count
from profiler.errors import MeasurementError


@pytest.mark.parametrize(
    ("model", "shape", "forward", "backward"),
    [
        # The first layer needs the gradient of its weight only, every later one also its input's.
        (nn.Linear(8, 4), (3, 8), 96, 96),
        (nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2)), (3, 8), 120, 96 + 2 * 24),
        (nn.Conv2d(3, 6, 3), (2, 3, 8, 8), 2 * 6 * 36 * 27, 2 * 6 * 36 * 27),
        (
            nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, groups=8)),
            (1, 8, 8, 8),
            64 * 64 + 8 * 36 * 9,
            64 * 64 + 2 * 8 * 36 * 9,
        ),
        (
            nn.Sequential(nn.Conv2d(12, 12, 1), nn.Conv2d(12, 24, 3, groups=3)),
            (2, 12, 6, 6),
            2 * 36 * 144 + 2 * 16 * 24 * 36,
            2 * 36 * 144 + 2 * 2 * 16 * 24 * 36,
        ),
        (
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.ConvTranspose2d(4, 6, 3, groups=2)),
            (1, 4, 5, 5),
            25 * 16 + 25 * 4 * 3 * 9,
            25 * 16 + 2 * 25 * 4 * 3 * 9,
        ),
        (nn.LSTM(8, 4), (5, 2, 8), 1920, 3840),
    ],
)
def test_backward_is_counted_exactly(
    model: nn.Module, shape: tuple[int, ...], forward: int, backward: int
) -> None:
    costs = count(model.train(), torch.randn(shape), backward=True)
    assert (costs.mac_count, costs.backward_mac_count) == (forward, backward)
    assert costs.uncounted_ops == ()


def test_backward_goes_to_the_module_whose_gradient_it_is() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2)))
    costs = count(model, torch.randn(3, 8), backward=True)
    assert costs.backward_layers == (("0", 96), ("2.0", 48))


def test_without_being_asked_there_is_no_backward() -> None:
    assert count(nn.Linear(8, 4), torch.randn(3, 8)).backward_mac_count is None


@pytest.mark.parametrize(("reentrant", "backward"), [(False, 1152), (True, 1344)])
def test_recomputed_work_is_backward_work(reentrant: bool, backward: int) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return checkpoint(lambda y: self.b(self.a(y)), self.a(x), use_reentrant=reentrant)

    model = Checkpointed()
    costs = count(model, torch.randn(3, 8), backward=True)
    # Without reentrance the last product is not needed again, and is not computed again.
    assert (costs.mac_count, costs.backward_mac_count) == (576, backward)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_that_were_there_stay() -> None:
    model = nn.Linear(8, 4)
    model(torch.ones(3, 8)).sum().backward()
    before = model.weight.grad
    assert before is not None
    kept = before.clone()
    count(model, torch.randn(3, 8), backward=True)
    assert model.weight.grad is before
    assert torch.equal(before, kept)


def test_outputs_without_gradient_are_an_error() -> None:
    with pytest.raises(MeasurementError, match="hold no tensor that requires a gradient"):
        count(nn.ReLU(), torch.randn(3, 8), backward=True)


def test_attention_backward_is_five_products() -> None:
    class Attention(nn.Module):
        def forward(self, q: torch.Tensor) -> torch.Tensor:
            return nn.functional.scaled_dot_product_attention(q, q, q)

    q = torch.randn(1, 2, 5, 8, requires_grad=True)
    costs = count(Attention(), q, backward=True)
    assert (costs.mac_count, costs.backward_mac_count) == (2 * 2 * 25 * 8, 5 * 2 * 25 * 8)
    assert q.grad is None
