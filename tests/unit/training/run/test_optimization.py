from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, AdamW

from profiler.errors import UsageError
from training.recipe import Recipe
from training.run.channels_last import keep_channels_last
from training.run.optimization import (
    Average,
    learning_rate,
    make_optimizer,
    parameter_groups,
    set_learning_rate,
)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 2),
    )  # fmt: skip


def rates(steps: int, **fields: object) -> list[float]:
    recipe = Recipe(learning_rate=0.4, **fields)  # type: ignore[arg-type]  # by the recipe
    return [learning_rate(recipe, step, steps) for step in range(steps)]


@given(
    steps=st.integers(1, 300),
    warmup=st.floats(0, 1),
    schedule=st.sampled_from(["one-cycle", "cosine"]),
)
def test_a_rate_climbs_to_its_peak_falls_and_is_positive(
    steps: int, warmup: float, schedule: str
) -> None:
    found = rates(steps, schedule=schedule, warmup_share=warmup)
    assert all(0 < rate <= 0.4 * (1 + 1e-12) for rate in found)
    top = found.index(max(found))
    assert all(a <= b for a, b in pairwise(found[: top + 1]))
    assert all(a >= b for a, b in pairwise(found[top:]))


def test_one_cycle_is_two_straight_lines() -> None:
    found = rates(100, warmup_share=0.2)
    assert found[9] == pytest.approx(0.4 * 9.5 / 20)
    assert found[60] == pytest.approx(0.4 * 39.5 / 80)
    assert max(found) == pytest.approx(0.4, rel=0.03)
    assert found[-1] == pytest.approx(0.4 * 0.5 / 80)


def test_a_restart_is_a_schedule_of_its_own() -> None:
    parts = [*rates(20, epochs=2), *rates(40, epochs=4)]
    assert rates(60, epochs=6, restarts=(2,)) == pytest.approx(parts)


@pytest.mark.parametrize("restarts", [(0,), (3,), (2, 1), (1, 1)])
def test_a_restart_lies_between_the_first_epoch_and_the_last(restarts: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="rising numbers of epochs"):
        Recipe(epochs=3, restarts=restarts)


def test_cosine_is_half_way_down_in_the_middle() -> None:
    found = rates(101, schedule="cosine", warmup_share=0.0)
    assert found[50] == pytest.approx(0.2)
    assert found[25] + found[75] == pytest.approx(0.4)


def test_norms_and_biases_have_no_weight_decay() -> None:
    model = network()
    decayed, others = parameter_groups(model, 0.01)
    assert decayed["weight_decay"] == 0.01
    assert {id(item) for item in decayed["params"]} == {id(model[0].weight), id(model[5].weight)}
    assert others["weight_decay"] == 0.0
    assert len(others["params"]) == 4


def test_frozen_parameters_are_left_out() -> None:
    model = network()
    model[0].requires_grad_(False)
    held = {id(item) for group in parameter_groups(model, 0.1) for item in group["params"]}
    assert not held & {id(item) for item in model[0].parameters()}


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        (Recipe(optimizer="sgd"), SGD),
        (Recipe(optimizer="sgd", momentum=0.0), SGD),
        (Recipe(optimizer="adamw"), AdamW),
    ],
)
def test_every_optimizer_lowers_a_loss(recipe: Recipe, kind: type) -> None:
    torch.manual_seed(0)
    model = keep_channels_last(network())
    optimizer = make_optimizer(recipe, model)
    assert type(optimizer) is kind
    set_learning_rate(optimizer, 0.01)
    images, labels = torch.randn(16, 3, 8, 8), torch.randint(2, (16,))
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def test_one_step_of_sgd_is_the_formula_of_nesterov_with_channels_last_weights() -> None:
    torch.manual_seed(0)
    model = keep_channels_last(network())
    optimizer = make_optimizer(Recipe(weight_decay=0.1, momentum=0.9), model)
    set_learning_rate(optimizer, 0.5)
    weight = model[0].weight
    before = weight.detach().clone()
    nn.functional.cross_entropy(model(torch.randn(8, 3, 8, 8)), torch.arange(8) % 2).backward()
    gradient = weight.grad + 0.1 * before
    optimizer.step()
    torch.testing.assert_close(weight.detach(), before - 0.5 * (gradient + 0.9 * gradient))


def test_the_gradient_before_a_global_pool_keeps_channels_last_and_its_value() -> None:
    torch.manual_seed(0)
    plain, laid_out = network(), network()
    laid_out.load_state_dict(plain.state_dict())
    keep_channels_last(laid_out)
    layouts = []
    laid_out[2].register_full_backward_hook(
        lambda module, inner, outer: layouts.append(
            outer[0].is_contiguous(memory_format=torch.channels_last)
        )
    )
    images = torch.randn(4, 3, 8, 8)
    for model in (plain, laid_out):
        model(images.contiguous(memory_format=torch.channels_last)).sum().backward()
    assert layouts == [True]
    for one, other in zip(plain.parameters(), laid_out.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_the_average_is_a_mean_at_first_and_exponential_later() -> None:
    model = nn.Linear(1, 1, bias=False)
    values = [5.0, 2.0, 8.0, 1.0, 3.0]
    average = Average(model, 0.5)
    expected = 0.0
    for step, value in enumerate(values):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(step)
        share = max(0.5, 1 / (step + 1))
        expected += share * (value - expected)
        assert average.model.weight.item() == pytest.approx(expected)


def test_the_average_holds_running_statistics_and_counters_too() -> None:
    model = network()
    average = Average(model, 0.9)
    model(torch.randn(4, 3, 8, 8) + 3)
    average.update(0)
    held = average.model.state_dict()
    assert torch.equal(held["1.running_mean"], model.state_dict()["1.running_mean"])
    assert held["1.num_batches_tracked"] == 1
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
