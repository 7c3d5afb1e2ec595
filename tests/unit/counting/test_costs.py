"""Bytes, effective MACs, sizes and the tables made of layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from profiler.counting import by_kind, count, count_on_meta, rollup
from tests.unit.counting.zoo import Calls, r


def bytes_of(model: nn.Module, *inputs: torch.Tensor) -> tuple[int, int, int]:
    with torch.no_grad():
        costs = count(model.eval(), inputs)
    assert costs.read_bytes == costs.weight_read_bytes + costs.activation_read_bytes
    return costs.weight_read_bytes, costs.activation_read_bytes, costs.written_bytes


def test_a_linear_layer_reads_weights_and_input_and_writes_its_output() -> None:
    assert bytes_of(nn.Linear(8, 4), r(3, 8)) == (4 * 36, 4 * 24, 4 * 12)


def test_a_convolution_reads_weights_and_input_and_writes_its_output() -> None:
    traffic = bytes_of(nn.Conv2d(3, 6, 3), r(1, 3, 8, 8))
    assert traffic == (4 * (162 + 6), 4 * 192, 4 * 216)


def test_views_move_nothing() -> None:
    model = Calls(lambda x: x.view(2, 12).t()[None].expand(5, -1, -1).detach()[0, :, 1])
    assert bytes_of(model, r(4, 6)) == (0, 0, 0)


def test_a_copy_reads_and_writes_and_a_fill_only_writes() -> None:
    assert bytes_of(Calls(lambda x: x.clone()), r(6)) == (0, 24, 24)
    assert bytes_of(Calls(lambda x: torch.zeros(6)), r(6)) == (0, 0, 24)
    assert bytes_of(Calls(lambda x: torch.empty(6)), r(6)) == (0, 0, 0)
    assert bytes_of(Calls(lambda x: torch.empty(6).fill_(1)), r(6)) == (0, 0, 24)
    assert bytes_of(Calls(lambda x: torch.empty(6).copy_(x)), r(6)) == (0, 24, 24)


def test_an_in_place_operator_reads_and_writes_its_argument() -> None:
    assert bytes_of(nn.ReLU(inplace=True), r(6)) == (0, 24, 24)


def test_a_lookup_reads_the_rows_it_takes() -> None:
    ids = torch.tensor([1, 2, 3])
    assert bytes_of(nn.Embedding(1000, 4), ids) == (4 * 12, 8 * 3, 4 * 12)


def test_an_expanded_operand_is_read_once() -> None:
    assert bytes_of(Calls(lambda x: x.expand(10, 6) + 1), r(1, 6)) == (0, 24, 240)


def test_max_pool_writes_its_indices_too() -> None:
    assert bytes_of(nn.MaxPool2d(2), r(1, 1, 4, 4)) == (0, 64, 4 * 4 + 8 * 4)


def test_batch_norm_reads_its_statistics_as_weights() -> None:
    assert bytes_of(nn.BatchNorm2d(3), r(1, 3, 2, 2)) == (4 * 12, 48, 48)


def test_size_is_parameters_and_buffers() -> None:
    costs = count(nn.BatchNorm1d(3), r(2, 3))
    assert (costs.parameter_bytes, costs.buffer_bytes) == (24, 32)
    assert costs.size_bytes == 56


def pruned_linear() -> nn.Module:
    model = nn.Linear(8, 4)
    prune.l1_unstructured(model, "weight", amount=0.75)
    return model


def zeroed_linear() -> nn.Module:
    model = nn.Linear(8, 4)
    with torch.no_grad():
        model.weight[:3] = 0
    return model


def zeroed_convolution() -> nn.Module:
    model = nn.Conv2d(4, 4, 3, padding=1)
    with torch.no_grad():
        model.weight[:, 1:] = 0
    return model


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize(
    ("make", "shape", "dense"),
    [
        (pruned_linear, (3, 8), 96),
        (zeroed_linear, (3, 8), 96),
        (zeroed_convolution, (1, 4, 6, 6), 36 * 144),
    ],
)
def test_effective_macs_leave_out_zero_weights(make, shape, dense, mode) -> None:  # type: ignore[no-untyped-def]
    with mode():
        costs = count(make(), r(*shape))
    assert (costs.mac_count, costs.effective_mac_count) == (dense, dense // 4)
    assert costs.layers[0].effective_mac_count == dense // 4


def test_effective_macs_survive_a_cast_of_the_weight() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert count(zeroed_linear(), r(3, 8)).effective_mac_count == 24


def test_products_of_activations_are_effective_whatever_their_zeros() -> None:
    costs = count(Calls(lambda a, b: a @ b), (torch.zeros(3, 4), torch.zeros(4, 5)))
    assert costs.effective_mac_count == 60


def test_effective_macs_are_unknown_without_values() -> None:
    costs = count_on_meta(nn.Linear(8, 4), r(3, 8))
    assert costs.effective_mac_count is None
    assert costs.layers[0].effective_mac_count is None


def model() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)), nn.Linear(8, 4)
    )


def test_rollup_adds_children_to_the_module_at_that_depth() -> None:
    layers = count(model(), r(2, 8)).layers
    whole = rollup(layers, 0)
    assert [(row.path, row.kind, row.mac_count) for row in whole] == [("", "Sequential", 320)]
    first = rollup(layers, 1)
    assert [(row.path, row.kind, row.mac_count, row.call_count) for row in first] == [
        ("", "Sequential", 0, 1),
        ("0", "Sequential", 256, 1),
        ("1", "Linear", 64, 1),
    ]
    assert rollup(layers, 9) == layers


def test_rollup_keeps_every_total() -> None:
    costs = count(model(), r(2, 8))
    for depth in range(3):
        rows = rollup(costs.layers, depth)
        assert sum(row.mac_count for row in rows) == costs.mac_count
        assert sum(row.parameter_count for row in rows) == costs.parameter_count
        assert sum(row.read_bytes for row in rows) == costs.read_bytes


def test_an_unknown_effective_count_makes_the_sum_unknown() -> None:
    first, *rest = count(model(), r(2, 8)).layers
    (row,) = rollup([replace(first, effective_mac_count=None), *rest], 0)
    assert row.effective_mac_count is None


def test_a_negative_depth_is_an_error() -> None:
    with pytest.raises(ValueError, match="-1"):
        rollup((), -1)


def test_kinds_are_summed_most_macs_first() -> None:
    rows = by_kind(count(model(), r(2, 8)).layers)
    assert [(row.kind, row.call_count, row.mac_count) for row in rows] == [
        ("Linear", 3, 320),
        ("Sequential", 2, 0),
        ("ReLU", 1, 0),
    ]


def test_the_table_has_a_row_for_every_layer() -> None:
    costs = count(model(), r(2, 8))
    table = costs.to_pandas()
    assert list(table["path"]) == [layer.path for layer in costs.layers]
    assert table["mac_count"].sum() == costs.mac_count
