"""The table of formulas: kernels called by name, and what is in no table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import flop_registry, register_flop_formula

from profiler.counting import count
from profiler.counting.operators.no_macs import has_no_macs
from tests.unit.counting.zoo import Calls, r

aten = torch.ops.aten


def encoder_weights() -> tuple[Any, ...]:
    return (
        8, 2, r(24, 8), r(24), r(8, 8), r(8), False, False, 1e-5,
        r(8), r(8), r(8), r(8), r(16, 8), r(16), r(8, 16), r(8),
    )  # fmt: skip


SELF = 2 * 5 * 64 * 4 + 2 * 2 * 25 * 8

KERNELS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], int]] = {
    "_native_multi_head_attention": (
        lambda x, *w: aten._native_multi_head_attention(x, x, x, 8, 2, *w),
        (r(2, 5, 8), r(24, 8), r(24), r(8, 8), r(8)),
        SELF,
    ),
    "_transformer_encoder_layer_fwd": (
        lambda x: aten._transformer_encoder_layer_fwd(x, *encoder_weights()),
        (r(2, 5, 8),),
        SELF + 2 * 5 * 8 * 16 * 2,
    ),
    "_trilinear": (
        lambda a, w, b: aten._trilinear(a, w, b, [1, 3], [0], [1, 2], [2, 3]),
        (r(2, 8), r(3, 8, 6), r(2, 6)),
        2 * 3 * 8 * 6,
    ),
    "_pdist_forward": (lambda x: torch.pdist(x), (r(5, 8),), 10 * 8),
    "_addmm_activation": (torch._addmm_activation, (r(5), r(3, 4), r(4, 5)), 60),
    "conv_tbc": (torch.conv_tbc, (r(10, 2, 3), r(3, 3, 6), r(6)), 2 * 6 * 8 * 9),
    "deform_conv2d": (
        lambda x, o, w: torchvision.ops.deform_conv2d(x, o, w),
        (r(1, 3, 8, 8), torch.zeros(1, 18, 6, 6), r(4, 3, 3, 3)),
        4 * 36 * 27,
    ),
    "_int_mm": (
        torch._int_mm,
        (torch.ones(32, 8, dtype=torch.int8), torch.ones(8, 16, dtype=torch.int8)),
        32 * 8 * 16,
    ),
    "_grouped_mm": (
        lambda a, b, o: torch._grouped_mm(a, b, offs=o),
        (
            r(32, 16).bfloat16(),
            r(2, 16, 24).bfloat16(),
            torch.tensor([16, 32], dtype=torch.int32),
        ),
        32 * 16 * 24,
    ),
    "sparse_sampled_addmm is listed": (lambda x: torch.linalg.matrix_exp(x), (r(3, 3),), 0),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_called_by_name_is_counted_or_listed(name: str) -> None:
    function, inputs, mac_count = KERNELS[name]
    with torch.no_grad():
        costs = count(Calls(function), inputs)
    assert costs.mac_count == mac_count
    assert bool(costs.uncounted_ops) is (mac_count == 0)


@torch.library.custom_op("wattprof_tests::gram", mutates_args=())
def gram(x: torch.Tensor) -> torch.Tensor:
    return x @ x.T


def test_an_operator_without_a_formula_is_listed_and_lowers_the_covered_share() -> None:
    costs = count(Calls(lambda x: torch.relu(gram(x))), r(3, 8))
    assert (costs.mac_count, costs.uncounted_ops) == (0, ("wattprof_tests.gram",))
    assert costs.covered_share == 0.5
    assert costs.layers[0].uncounted_ops == ("wattprof_tests.gram",)


@pytest.fixture
def registered() -> Iterator[None]:
    packet = torch.ops.wattprof_tests.gram
    register_flop_formula(packet)(lambda shape, **_: 2 * shape[0] ** 2 * shape[1])
    yield
    del flop_registry[packet]


@pytest.mark.usefixtures("registered")
def test_a_formula_that_the_user_registered_with_torch_is_used() -> None:
    costs = count(Calls(gram), r(3, 8))
    assert (costs.mac_count, costs.uncounted_ops) == (72, ())


def test_a_formula_that_does_not_fit_is_listed_and_stops_nothing() -> None:
    packet = torch.ops.wattprof_tests.gram
    register_flop_formula(packet)(lambda shape, **_: shape[7])
    try:
        assert count(Calls(gram), r(3, 8)).uncounted_ops == ("wattprof_tests.gram",)
    finally:
        del flop_registry[packet]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("aten.relu_", True),
        ("aten.elu_backward", True),
        ("aten._softmax_backward_data", True),
        ("aten._foreach_add", True),
        ("aten.slice_copy", True),
        ("aten.mm", False),
        ("aten._linalg_svd", False),
        ("aten._fft_c2c", False),
        ("mylib.relu", False),
    ],
)
def test_only_names_somebody_looked_at_have_no_macs(name: str, known: bool) -> None:
    assert has_no_macs(name) is known


def test_no_macs_where_there_is_nothing_to_multiply() -> None:
    costs = count(nn.Identity(), r(3))
    assert (costs.mac_count, costs.op_call_count, costs.covered_share) == (0, 0, None)
