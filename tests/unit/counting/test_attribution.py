"""Work goes to the innermost module that was called."""

from __future__ import annotations

import contextlib
import threading

import torch
from torch import nn

from profiler.counting import Costs, count


def macs(costs: Costs) -> dict[str, int]:
    return {layer.path: layer.mac_count for layer in costs.layers if layer.mac_count}


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)
        self.free = nn.Parameter(torch.randn(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bi,ij->bj", self.inner(x), self.free) @ self.free


def test_functional_products_go_to_the_module_that_holds_them() -> None:
    costs = count(nn.Sequential(Block(), nn.ReLU(), Block()), torch.randn(2, 8))
    assert macs(costs) == {"0": 256, "0.inner": 128, "2": 256, "2.inner": 128}


def test_rows_are_in_the_order_of_named_modules_and_hold_what_ran_or_owns() -> None:
    model = nn.Sequential(Block(), nn.ReLU())
    model.add_module("idle", nn.Linear(3, 3))
    model.add_module("empty", nn.Identity())
    model.forward = lambda x: model[1](model[0](x))  # type: ignore[method-assign]
    costs = count(model, torch.randn(2, 8))
    rows = [(layer.path, layer.kind, layer.call_count) for layer in costs.layers]
    assert rows == [
        ("", "Sequential", 1),
        ("0", "Block", 1),
        ("0.inner", "Linear", 1),
        ("1", "ReLU", 1),
        ("idle", "Linear", 0),
    ]
    assert [layer.parameter_count for layer in costs.layers] == [0, 64, 72, 0, 12]


def test_a_shared_module_counts_every_call_and_its_parameters_once() -> None:
    layer = nn.Linear(8, 8)
    costs = count(nn.Sequential(layer, nn.ReLU(), layer), torch.randn(2, 8))
    (row,) = [row for row in costs.layers if row.parameter_count]
    assert (row.path, row.call_count, row.mac_count, costs.parameter_count) == ("0", 2, 256, 72)


def test_tied_weights_count_their_products_twice_and_their_elements_once() -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    model[1].weight = model[0].weight
    costs = count(model, torch.randn(2, 8))
    assert (costs.mac_count, costs.parameter_count) == (256, 64)
    assert [layer.parameter_count for layer in costs.layers if layer.path] == [64, 0]


def test_a_forward_called_directly_folds_into_its_caller() -> None:
    class Direct(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer.forward(x)

    assert macs(count(Direct(), torch.randn(2, 8))) == {"": 64}


def test_a_module_outside_the_tree_folds_into_its_caller() -> None:
    outside = [nn.Linear(8, 4)]

    class Hider(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return outside[0](x)

    assert macs(count(nn.Sequential(Hider()), torch.randn(2, 8))) == {"0": 64}


def test_a_module_made_during_the_forward_has_a_row() -> None:
    class Late(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not hasattr(self, "layer"):
                self.layer = nn.Linear(8, 4)
            return self.layer(x)

    model = Late()
    costs = count(model, torch.randn(2, 8))
    assert macs(costs) == {"layer": 64}
    assert costs.parameter_count == 36
    assert not hasattr(model, "layer")


def test_a_layer_that_raises_and_is_caught_leaves_the_rest_in_place() -> None:
    class Bad(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("no")

    class Catching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bad, self.good = Bad(), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with contextlib.suppress(ValueError):
                self.bad(x)
            return self.good(x) @ torch.ones(4, 1)

    assert macs(count(Catching(), torch.randn(2, 8))) == {"": 8, "good": 64}


def test_a_module_run_in_another_thread_is_listed() -> None:
    class Threaded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            results: list[torch.Tensor] = []
            thread = threading.Thread(target=lambda: results.append(self.layer(x)))
            thread.start()
            thread.join()
            return results[0]

    costs = count(Threaded(), torch.randn(2, 8))
    assert costs.uncounted_ops == ("Linear in another thread",)
