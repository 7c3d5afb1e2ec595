"""Counting leaves nothing behind, also when the model raises."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.utils._python_dispatch import _get_current_dispatch_mode

from profiler.counting import count, count_on_meta
from profiler.counting.preservation import plain_execution
from profiler.errors import MeasurementError


class Messy(nn.Module):
    """Changes everything that a forward can change."""

    def __init__(self, *, raises: type[BaseException] | None = None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.layer = nn.Linear(8, 8)
        self.register_buffer("cache", torch.zeros(4))
        self.calls = 0
        self.history: list[int] = []
        self.raises = raises

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.history.append(self.calls)
        self.cache.add_(1)
        self.layer.weight.data.clamp_(-0.01, 0.01)
        self.layer.bias.data[1:].zero_()
        self.register_buffer("late", torch.ones(1))
        self.last = x.mul_(2)
        random.random()
        y = self.layer(nn.functional.dropout(self.norm(x)))
        self.eval()
        if self.raises:
            raise self.raises("on purpose")
        return y


def state(model: Messy) -> dict[str, Any]:
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rest = (model.calls, list(model.history), sorted(vars(model)), model.training)
    return {"rest": rest, **tensors}


def process() -> tuple[Any, ...]:
    return (
        len(hooks._global_forward_hooks),
        len(hooks._global_forward_pre_hooks),
        len(hooks._global_forward_hooks_always_called),
        _get_current_dispatch_mode(),
        torch.backends.mha.get_fastpath_enabled(),
        torch.is_grad_enabled(),
        random.getstate(),
        torch.get_rng_state().tolist(),
    )


@pytest.mark.parametrize("raises", [None, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("counter", [count, count_on_meta])
def test_model_inputs_and_process_are_as_before(
    counter: Callable[..., Any], raises: type[BaseException] | None
) -> None:
    model, x = Messy(raises=raises), torch.randn(4, 8)
    before, kept, outside = state(model), x.clone(), process()
    if raises is None:
        assert counter(model, x).mac_count == 256
    else:
        expected = MeasurementError if raises is ValueError else raises
        with pytest.raises(expected, match="on purpose"):
            counter(model, x)
    after = state(model)
    assert after.pop("rest") == before.pop("rest")
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(x, kept)
    assert process() == outside


@pytest.mark.parametrize("enabled", [True, False])
def test_the_fast_path_is_left_as_it_was_set(enabled: bool) -> None:
    torch.backends.mha.set_fastpath_enabled(enabled)
    try:
        count(nn.Linear(8, 4), torch.randn(3, 8))
        assert torch.backends.mha.get_fastpath_enabled() is enabled
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_a_hook_that_raises_is_an_error_and_leaves_no_other_hook() -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("hook says no")

    model = nn.Sequential(nn.Linear(8, 4))
    model[0].register_forward_hook(refuse)
    with pytest.raises(MeasurementError, match="hook says no"):
        count(model, torch.randn(3, 8))
    assert len(model[0]._forward_hooks) == 1
    assert not hooks._global_forward_hooks


def test_a_wrong_shape_is_one_sentence_with_a_hint() -> None:
    with pytest.raises(MeasurementError, match="Linear could not be called") as caught:
        count(nn.Linear(8, 4), torch.randn(3, 9))
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_model_that_needs_values_cannot_run_on_meta() -> None:
    class Peeking(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.sum().item()

    with pytest.raises(MeasurementError, match="cannot be counted on the meta device"):
        count_on_meta(Peeking(), torch.randn(3))


def test_replicas_of_a_data_parallel_model_run_in_this_thread_meanwhile() -> None:
    model = nn.Sequential(nn.DataParallel(nn.Linear(8, 4)))
    model[0].device_ids = [0, 1]
    with plain_execution(model):
        assert model[0].device_ids == [0]
    assert model[0].device_ids == [0, 1]
