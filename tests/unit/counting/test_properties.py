"""Counts against closed forms, over many shapes."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from profiler.counting import count
from tests.unit.counting.zoo import Calls

SIZE = st.integers(1, 9)


def macs(model: nn.Module, *inputs: torch.Tensor) -> int:
    costs = count(model, inputs)
    assert costs.uncounted_ops == ()
    return costs.mac_count


@settings(max_examples=40, deadline=None)
@given(st.lists(SIZE, min_size=0, max_size=3), SIZE, SIZE, st.booleans())
def test_linear(lead: list[int], inputs: int, outputs: int, bias: bool) -> None:
    x = torch.empty(*lead, inputs, device="meta")
    layer = nn.Linear(inputs, outputs, bias, device="meta")
    assert macs(layer, x) == x.numel() * outputs


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), SIZE, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3),
    st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(9, 12), st.booleans(),
)  # fmt: skip
def test_convolution(
    axes: int, batch: int, groups: int, per_in: int, per_out: int, kernel: int,
    stride: int, padding: int, size: int, transposed: bool,
) -> None:  # fmt: skip
    name = ("ConvTranspose" if transposed else "Conv") + f"{axes}d"
    layer = getattr(nn, name)(
        groups * per_in, groups * per_out, kernel,
        stride=stride, padding=min(padding, kernel - 1), groups=groups, device="meta",
    )  # fmt: skip
    x = torch.empty(batch, groups * per_in, *[size] * axes, device="meta")
    positions = (x if transposed else layer(x)).shape[2:].numel()
    assert macs(layer, x) == batch * positions * kernel**axes * per_in * per_out * groups


@settings(max_examples=60, deadline=None)
@given(SIZE, st.integers(1, 3), st.integers(1, 3), SIZE, SIZE, SIZE, SIZE, st.booleans())
def test_attention(
    batch: int, groups: int, kv: int, rows: int, columns: int, width: int, out: int, causal: bool
) -> None:
    query = torch.empty(batch, groups * kv, rows, width, device="meta")
    key = torch.empty(batch, kv, columns, width, device="meta")
    value = torch.empty(batch, kv, columns, out, device="meta")
    model = Calls(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
    )
    assert macs(model, query, key, value) == batch * groups * kv * rows * columns * (width + out)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=3), SIZE, SIZE, SIZE, st.data())
def test_broadcast_product(ones: list[bool], m: int, k: int, n: int, data: st.DataObject) -> None:
    lead = [data.draw(SIZE) for _ in ones]
    narrow = [1 if one else size for one, size in zip(ones, lead, strict=True)]
    left = torch.empty(*narrow, m, k, device="meta")
    right = torch.empty(*lead, k, n, device="meta")
    total = m * k * n
    for size in lead:
        total *= size
    assert macs(Calls(lambda a, b: a @ b), left, right) == total


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)]),
    st.integers(1, 3), st.booleans(), SIZE, st.integers(1, 4), SIZE, st.integers(2, 9),
)  # fmt: skip
def test_recurrent(
    kind: tuple[type[nn.Module], int], layers: int, both: bool,
    time: int, batch: int, inputs: int, width: int,
) -> None:  # fmt: skip
    make, gates = kind
    ways = 2 if both else 1
    model = make(inputs, width, layers, bidirectional=both)
    widths = [inputs] + [ways * width] * (layers - 1)
    expected = time * batch * ways * gates * width * sum(wide + width for wide in widths)
    assert macs(model, torch.randn(time, batch, inputs)) == expected
