"""Products in place, control flow, Fourier transforms, complex numbers, unusual inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch._higher_order_ops.map import map as torch_map
from torch._higher_order_ops.scan import scan
from torch.utils.flop_counter import flop_registry, register_flop_formula

from profiler.counting import count, count_on_meta
from profiler.errors import MeasurementError, UsageError
from tests.stateful import Pair
from tests.unit.counting.zoo import Calls, r

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("call", "x", "mac_count"),
    [
        (lambda x: r(4, 4).addmm_(x, x), r(4, 4), 64),
        (lambda x: r(4).addmv_(x, x[0]), r(4, 4), 16),
        (lambda x: r(4, 4).addr_(x[0], x[0]), r(4, 4), 16),
        (lambda x: r(2, 4, 4).baddbmm_(x, x), r(2, 4, 4), 128),
        (lambda x: r(4, 4).addbmm_(x, x), r(2, 4, 4), 128),
        (lambda x: torch.sspaddmm(r(4, 4).to_sparse(), x.to_sparse(), x), r(4, 4), 64),
        (lambda x: scan(lambda c, y: (c @ y, c.clone()), r(2, 4), x), r(5, 4, 4), 160),
        (lambda x: torch_map(lambda y: y @ y, x), r(5, 4, 4), 320),
    ],
)
def test_products_in_place_and_inside_loops(
    call: Callable[[Any], Any], x: torch.Tensor, mac_count: int
) -> None:
    costs = count(Calls(call), x)
    assert costs.mac_count == mac_count
    assert costs.uncounted_ops == ()


def test_loops_give_what_they_give_without_being_counted() -> None:
    seen: list[Any] = []

    class Loops(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            last, rows = scan(lambda c, y: (c + y, c * y), torch.zeros(3), x)
            return torch.cat([last[None], rows, torch_map(lambda y: y * 2, x)])

    model, x = Loops(), torch.arange(12.0).reshape(4, 3)
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, args, out: seen.append(out) if module is model else None
    )
    count(model, x)
    handle.remove()
    expected = torch.cat([x.sum(0)[None], (x.cumsum(0) - x) * x, x * 2])
    assert torch.equal(seen[0], expected)


class Loop(nn.Module):
    def forward(self, step: torch.Tensor, x: torch.Tensor) -> Any:
        return torch._higher_order_ops.while_loop(
            lambda i, x: i < 3, lambda i, x: (i + 1, x @ torch.ones(4, 4)), (step, x)
        )


def test_an_exported_program_is_taken_as_its_module() -> None:
    inputs = (torch.tensor(0), torch.ones(2, 4))
    program = torch.export.export(Loop(), inputs)
    assert count(program, inputs).mac_count == 96
    assert count(program.module(), inputs).mac_count == 96


@pytest.mark.parametrize(
    ("call", "x", "operations"),
    [
        (torch.fft.fft, torch.ones(2, 8, dtype=torch.complex64), 2 * 5 * 8 * 3),
        (torch.fft.fft2, torch.ones(3, 4, 8, dtype=torch.complex64), 3 * 5 * 32 * 5),
        (torch.fft.rfft, torch.ones(2, 8), 5 * 8 * 3),
        (lambda x: torch.fft.irfft(torch.fft.rfft(x)), torch.ones(2, 8), 2 * 5 * 8 * 3),
        (torch.fft.fft, torch.ones(1, 1, dtype=torch.complex64), 0),
    ],
)
def test_fourier_transforms_are_counted_beside_the_macs(
    call: Callable[[Any], Any], x: torch.Tensor, operations: int
) -> None:
    costs = count(Calls(call), x)
    assert costs.fourier_operation_count == operations
    assert (costs.mac_count, costs.uncounted_ops, costs.covered_share) == (0, (), 1.0)


@pytest.mark.parametrize(
    ("module", "x", "mac_count"),
    [
        (nn.Conv1d(2, 3, 3, dtype=torch.complex64), (1, 2, 8), 6 * 3 * 2 * 3),
        (nn.Conv2d(4, 4, 3, groups=4, dtype=torch.complex64), (2, 4, 5, 5), 2 * 9 * 4 * 9),
        (nn.ConvTranspose1d(2, 3, 3, dtype=torch.complex64), (1, 2, 8), 8 * 2 * 3 * 3),
        (nn.Linear(2, 3, dtype=torch.complex64), (4, 2), 24),
    ],
)
def test_a_complex_multiply_accumulate_is_one(
    module: nn.Module, x: tuple[int, ...], mac_count: int
) -> None:
    assert count(module, torch.ones(x, dtype=torch.complex64)).mac_count == mac_count


def test_a_registered_formula_is_given_the_keywords() -> None:
    @torch.library.custom_op("wattprof_test::repeated", mutates_args=())
    def repeated(x: torch.Tensor, *, times: int) -> torch.Tensor:
        return x * times

    @register_flop_formula(torch.ops.wattprof_test.repeated)
    def formula(x: Any, *, times: int = 1, out_shape: Any = None, **_: Any) -> int:
        return 2 * times * int(torch.Size(x).numel())

    try:
        assert count(Calls(lambda x: repeated(x, times=4)), r(6, 10)).mac_count == 240
    finally:
        del flop_registry[torch.ops.wattprof_test.repeated]


def test_a_named_tuple_is_one_input() -> None:
    pair = Pair(r(2, 4), r(4, 3))
    assert count(Calls(lambda pair: pair.left @ pair.right), pair).mac_count == 24


def test_packed_sequences_are_counted_with_values_and_without() -> None:
    packed = nn.utils.rnn.pack_sequence([r(3, 4), r(2, 4)])
    assert count(nn.LSTM(4, 5), packed).mac_count == 5 * 4 * 5 * (4 + 5)
    assert count_on_meta(nn.LSTM(4, 5), packed).mac_count == 5 * 4 * 5 * (4 + 5)


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_nested_tensors_are_counted(layout: torch.layout) -> None:
    nested = torch.nested.nested_tensor([r(2, 4), r(3, 4)], layout=layout)
    costs = count(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nested)
    assert (costs.mac_count, costs.uncounted_ops) == (80, ())


def test_an_input_that_has_no_form_without_values_is_refused_in_one_sentence() -> None:
    nested = torch.nested.nested_tensor([r(2, 4), r(3, 4)])
    with pytest.raises(MeasurementError, match="no form without values"):
        count_on_meta(nn.Linear(4, 4), nested)


@pytest.mark.parametrize("thing", [nn.Linear, nn.Linear(4, 4).forward, lambda x: x, 3])
@pytest.mark.parametrize("counter", [count, count_on_meta])
def test_what_is_no_module_is_refused_with_a_hint(counter: Any, thing: Any) -> None:
    with pytest.raises(UsageError) as caught:
        counter(thing, r(2, 4))
    assert caught.value.hint
