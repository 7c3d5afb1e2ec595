"""Small modules whose multiply-accumulates are known from their definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune


class Case(NamedTuple):
    name: str
    model: Callable[[], nn.Module]
    inputs: Callable[[], Any]
    mac_count: int
    uncounted: tuple[str, ...] = ()
    meta: bool = True


class Calls(nn.Module):
    """Any function of its inputs as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Cross(nn.Module):
    def __init__(self, heads: int = 2, **options: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, heads, batch_first=True, **options)

    def forward(self, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        return self.attention(query, memory, memory, need_weights=False)[0]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8, bias=False)
        self.second = nn.Linear(8, 8, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8)] * 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.small = nn.Linear(8, 2)
        self.large = nn.Linear(8, 100)

    def forward(self, x: torch.Tensor, large: bool = False) -> torch.Tensor:
        return self.large(x) if large else self.small(x)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, weight = ctx.saved_tensors
        return grads[0] @ weight.T, x.T @ grads[0]


def r(*shape: int) -> torch.Tensor:
    return torch.randn(*shape)


def call(function: Callable[..., Any]) -> Callable[[], nn.Module]:
    return lambda: Calls(function)


def conv(name: str, make: Callable[[], nn.Module], shape: tuple[int, ...], macs: int) -> Case:
    return Case(name, make, lambda: r(*shape), macs)


def rnn(name: str, make: Callable[[], nn.Module], macs: int) -> Case:
    return Case(name, make, lambda: r(5, 2, 8), macs)


def packed(make: Callable[[], nn.Module]) -> nn.Module:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = make()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            lengths = torch.tensor([5, 3], device="cpu")
            return self.rnn(nn.utils.rnn.pack_padded_sequence(x, lengths))[0].data

    return Packed()


def checkpointed() -> nn.Module:
    layer = nn.Linear(8, 4)

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            from torch.utils.checkpoint import checkpoint

            return checkpoint(self.layer, x, use_reentrant=False)

    return Checkpointed()


def masked() -> nn.Module:
    model = nn.Linear(8, 4)
    prune.l1_unstructured(model, "weight", amount=0.5)
    return model


def attention(**options: Any) -> Callable[..., torch.Tensor]:
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options)


def qkv(heads: int = 4, kv: int = 4, dv: int = 8) -> Callable[[], Any]:
    return lambda: (r(2, heads, 5, 8), r(2, kv, 7, 8), r(2, kv, 7, dv))


LINEAR = [
    Case("linear", lambda: nn.Linear(8, 4), lambda: r(3, 8), 96),
    Case("linear without bias", lambda: nn.Linear(8, 4, bias=False), lambda: r(3, 8), 96),
    Case("linear of a vector", lambda: nn.Linear(8, 4), lambda: r(8), 32),
    Case("linear of 4 axes", lambda: nn.Linear(8, 4), lambda: r(2, 3, 5, 8), 960),
    Case("linear of no rows", lambda: nn.Linear(8, 4), lambda: r(0, 8), 0),
    Case("bilinear", lambda: nn.Bilinear(8, 6, 3), lambda: (r(2, 8), r(2, 6)), 288),
    Case("functional linear", call(lambda x, w: F.linear(x, w)), lambda: (r(3, 8), r(4, 8)), 96),
    Case("matrix product", call(lambda a, b: a @ b), lambda: (r(3, 4), r(4, 5)), 60),
    Case("transposed product", call(lambda a, b: a.T @ b), lambda: (r(4, 3), r(4, 5)), 60),
    Case("batched", call(lambda a, b: a @ b), lambda: (r(2, 3, 4), r(2, 4, 5)), 120),
    Case("broadcast", call(lambda a, b: a @ b), lambda: (r(2, 1, 3, 4), r(7, 4, 5)), 840),
    Case("broadcast rank 2", call(lambda a, b: a @ b), lambda: (r(6, 3, 4), r(4, 5)), 360),
    Case("matrix by vector", call(lambda a, b: a @ b), lambda: (r(3, 4), r(4)), 12),
    Case("vector by matrix", call(lambda a, b: a @ b), lambda: (r(4), r(4, 3)), 12),
    Case("batch by vector", call(lambda a, b: a @ b), lambda: (r(2, 3, 4), r(4)), 24),
    Case("mv", call(torch.mv), lambda: (r(3, 4), r(4)), 12),
    Case("dot", call(torch.dot), lambda: (r(9), r(9)), 9),
    Case("vdot", call(torch.vdot), lambda: (r(9), r(9)), 9),
    Case("inner", call(torch.inner), lambda: (r(2, 4), r(3, 4)), 24),
    Case("outer has no sum", call(torch.outer), lambda: (r(4), r(5)), 0),
    Case("addmm", call(torch.addmm), lambda: (r(3, 5), r(3, 4), r(4, 5)), 60),
    Case("addmv", call(torch.addmv), lambda: (r(3), r(3, 4), r(4)), 12),
    Case("addr", call(torch.addr), lambda: (r(3, 4), r(3), r(4)), 12),
    Case("addbmm", call(torch.addbmm), lambda: (r(3, 5), r(2, 3, 4), r(2, 4, 5)), 120),
    Case("baddbmm", call(torch.baddbmm), lambda: (r(2, 3, 5), r(2, 3, 4), r(2, 4, 5)), 120),
    Case("bmm", call(torch.bmm), lambda: (r(2, 3, 4), r(2, 4, 5)), 120),
    Case("einsum", call(lambda a, b: torch.einsum("bij,bkj->bik", a, b)),
         lambda: (r(2, 3, 4), r(2, 5, 4)), 120),
    Case("einsum broadcast", call(lambda a, b: torch.einsum("...ij,jk->...ik", a, b)),
         lambda: (r(6, 2, 3, 4), r(4, 5)), 720),
    Case("tensordot", call(lambda a, b: torch.tensordot(a, b, dims=2)),
         lambda: (r(3, 4, 5), r(4, 5, 6)), 360),
    Case("multi_dot", call(lambda a, b, c: torch.linalg.multi_dot([a, b, c])),
         lambda: (r(10, 2), r(2, 10), r(10, 3)), 120),
    Case("cdist", call(torch.cdist), lambda: (r(2, 5, 8), r(2, 7, 8)), 560),
    Case("cdist of many", call(torch.cdist), lambda: (r(30, 8), r(40, 8)), 9600),
    Case("complex product", call(lambda a: torch.complex(a, a) @ torch.complex(a, a)),
         lambda: r(3, 3), 27),
    Case("embedding", lambda: nn.Embedding(9, 4), lambda: torch.tensor([[1, 2]]), 0),
    Case("embedding bag", lambda: nn.EmbeddingBag(9, 4), lambda: torch.tensor([[1, 2]]), 0),
    Case("linear algebra is listed", call(torch.linalg.inv), lambda: torch.eye(3), 0,
         ("aten.linalg_inv_ex",)),
    Case("fourier has none", call(torch.fft.rfft), lambda: r(8), 0),
    Case("coordinate sparse", call(lambda x: torch.eye(4).to_sparse() @ x), lambda: r(4, 3), 12,
         meta=False),
    Case("row sparse", call(lambda x: torch.eye(4).to_sparse_csr() @ x), lambda: r(4, 3), 12,
         meta=False),
    Case("vmap", call(lambda a, b: torch.vmap(torch.mv)(a, b)), lambda: (r(6, 3, 4), r(6, 4)), 72),
]  # fmt: skip

CONVOLUTION = [
    conv("conv1d", lambda: nn.Conv1d(3, 6, 3), (2, 3, 10), 2 * 6 * 8 * 9),
    conv("conv2d", lambda: nn.Conv2d(3, 6, 3), (2, 3, 8, 8), 2 * 6 * 36 * 27),
    conv("conv3d", lambda: nn.Conv3d(3, 6, 2), (1, 3, 4, 4, 4), 6 * 27 * 24),
    conv("conv2d without batch", lambda: nn.Conv2d(3, 6, 3), (3, 8, 8), 6 * 36 * 27),
    conv("stride", lambda: nn.Conv2d(3, 6, 3, stride=2), (1, 3, 9, 9), 6 * 16 * 27),
    conv("padding", lambda: nn.Conv2d(3, 6, 3, padding=1), (1, 3, 8, 8), 6 * 64 * 27),
    conv("same padding", lambda: nn.Conv2d(3, 6, 4, padding="same"), (1, 3, 8, 8), 6 * 64 * 48),
    conv("circular padding", lambda: nn.Conv2d(3, 6, 3, padding=1, padding_mode="circular"),
         (1, 3, 8, 8), 6 * 64 * 27),
    conv("dilation", lambda: nn.Conv2d(3, 6, 3, dilation=2), (1, 3, 8, 8), 6 * 16 * 27),
    conv("groups", lambda: nn.Conv2d(8, 12, 3, groups=4), (1, 8, 8, 8), 12 * 36 * 18),
    conv("depthwise", lambda: nn.Conv2d(8, 8, 3, groups=8), (1, 8, 8, 8), 8 * 36 * 9),
    conv("pointwise", lambda: nn.Conv2d(8, 4, 1), (1, 8, 8, 8), 4 * 64 * 8),
    conv("rectangular", lambda: nn.Conv2d(3, 6, (1, 5)), (1, 3, 8, 8), 6 * 32 * 15),
    conv("transposed 1d", lambda: nn.ConvTranspose1d(3, 6, 3), (1, 3, 8), 8 * 3 * 6 * 3),
    conv("transposed 2d", lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (1, 4, 5, 5),
         25 * 4 * 6 * 9),
    conv("transposed 3d", lambda: nn.ConvTranspose3d(2, 3, 2), (1, 2, 3, 3, 3), 27 * 2 * 3 * 8),
    conv("transposed groups", lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), (1, 4, 5, 5),
         25 * 4 * 3 * 9),
    conv("weight norm", lambda: nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 6, 3)),
         (1, 3, 10), 6 * 8 * 9),
    conv("unfold", lambda: nn.Unfold(3), (1, 3, 8, 8), 0),
    conv("fold", lambda: nn.Fold((8, 8), 3), (1, 27, 36), 0),
    conv("batch norm", lambda: nn.BatchNorm2d(3), (2, 3, 8, 8), 0),
    conv("group norm", lambda: nn.GroupNorm(1, 3), (2, 3, 8, 8), 0),
    conv("layer norm", lambda: nn.LayerNorm(8), (2, 3, 8, 8), 0),
    conv("max pool", lambda: nn.MaxPool2d(2), (2, 3, 8, 8), 0),
    conv("average pool", lambda: nn.AvgPool2d(2), (2, 3, 8, 8), 0),
    conv("adaptive pool", lambda: nn.AdaptiveAvgPool2d(1), (2, 3, 8, 8), 0),
    conv("upsample", lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 8, 8), 0),
    conv("activations", lambda: nn.Sequential(nn.GELU(), nn.SiLU(), nn.PReLU(), nn.ELU(),
         nn.Hardswish(), nn.Softmax(-1), nn.GLU(), nn.Mish(), nn.Softplus()), (2, 8), 0),
    conv("dropout", lambda: nn.Dropout(0.5), (2, 8), 0),
    conv("pixel shuffle", lambda: nn.PixelShuffle(2), (1, 4, 3, 3), 0),
]  # fmt: skip

RECURRENT = [
    rnn("lstm", lambda: nn.LSTM(8, 4), 10 * 4 * 4 * (8 + 4)),
    rnn("lstm of two layers", lambda: nn.LSTM(8, 4, 2), 10 * 16 * (8 + 4 + 4 + 4)),
    rnn("lstm both ways", lambda: nn.LSTM(8, 4, bidirectional=True), 2 * 10 * 16 * 12),
    rnn("lstm two layers both ways", lambda: nn.LSTM(8, 4, 2, bidirectional=True),
        2 * 10 * 16 * 12 + 2 * 10 * 16 * (8 + 4)),
    rnn("lstm without bias", lambda: nn.LSTM(8, 4, bias=False), 10 * 16 * 12),
    rnn("lstm projected", lambda: nn.LSTM(8, 4, proj_size=2), 10 * (16 * (8 + 2) + 4 * 2)),
    rnn("gru", lambda: nn.GRU(8, 4), 10 * 12 * 12),
    rnn("gru both ways", lambda: nn.GRU(8, 4, bidirectional=True), 2 * 10 * 12 * 12),
    rnn("rnn", lambda: nn.RNN(8, 4), 10 * 4 * 12),
    Case("lstm cell", lambda: nn.LSTMCell(8, 4), lambda: r(2, 8), 2 * 16 * 12),
    Case("gru cell", lambda: nn.GRUCell(8, 4), lambda: r(2, 8), 2 * 12 * 12),
    Case("packed lstm", lambda: packed(lambda: nn.LSTM(8, 4)), lambda: r(5, 2, 8), 8 * 16 * 12,
         meta=False),
    Case("packed gru", lambda: packed(lambda: nn.GRU(8, 4)), lambda: r(5, 2, 8), 8 * 12 * 12,
         meta=False),
    Case("packed lstm both ways", lambda: packed(lambda: nn.LSTM(8, 4, bidirectional=True)),
         lambda: r(5, 2, 8), 2 * 8 * 16 * 12, meta=False),
]  # fmt: skip

SELF = 2 * 5 * 8 * 8 * 4 + 2 * 2 * 5 * 5 * 8  # projections, then QK^T and PV

ATTENTION = [
    Case("sdpa", call(attention()), qkv(), 2 * 4 * 5 * 7 * 16),
    Case("sdpa causal", call(attention(is_causal=True)), qkv(), 2 * 4 * 5 * 7 * 16),
    Case("sdpa wide values", call(attention()), qkv(dv=12), 2 * 4 * 5 * 7 * 20),
    Case("sdpa grouped queries", call(attention(enable_gqa=True)), qkv(kv=2), 2 * 4 * 5 * 7 * 16),
    Case("sdpa with a mask", call(lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m)),
         lambda: (*qkv()(), torch.ones(5, 7, dtype=torch.bool)), 2 * 4 * 5 * 7 * 16),
    Case("sdpa of 3 axes", call(attention()), lambda: (r(2, 5, 8), r(2, 7, 8), r(2, 7, 8)),
         2 * 5 * 7 * 16),
    Case("multi-head", lambda: Cross(), lambda: (lambda x: (x, x))(r(2, 5, 8)), SELF),
    Case("cross attention", lambda: Cross(), lambda: (r(2, 5, 8), r(2, 7, 8)),
         2 * (5 * 64 * 2 + 7 * 64 * 2 + 2 * 5 * 7 * 8)),
    Case("encoder layer", lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
         lambda: r(2, 5, 8), SELF + 2 * 5 * 8 * 16 * 2),
    Case("encoder", lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False),
        lambda: r(2, 5, 8), 2 * (SELF + 2 * 5 * 8 * 16 * 2)),
    Case("decoder layer", lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True),
         lambda: (lambda x: (x, x))(r(2, 5, 8)), 2 * SELF + 2 * 5 * 8 * 16 * 2),
]  # fmt: skip

SHAPES_OF_MODELS = [
    Case("tied weights", Tied, lambda: r(2, 8), 256),
    Case("one module thrice", Reused, lambda: r(2, 8), 384),
    Case("branch not taken", Branching, lambda: r(2, 8), 32),
    Case("branch taken", Branching, lambda: ((r(2, 8),), {"large": True}), 1600),
    Case("keywords alone", Branching, lambda: {"x": r(2, 8), "large": True}, 1600),
    Case("custom function", call(Square.apply), lambda: (r(3, 4), r(4, 5)), 60),
    Case("checkpoint", checkpointed, lambda: r(2, 8), 64),
    Case("pruned by mask", masked, lambda: r(2, 8), 64),
    Case("spectral norm", lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(8, 4)),
         lambda: r(2, 8), 64 + 32 + 4),
    Case("data parallel", lambda: nn.DataParallel(nn.Linear(8, 4)), lambda: r(2, 8), 64),
    Case("dict of outputs", call(lambda x: {"a": [x @ x.T], "b": None}), lambda: r(2, 8), 32),
    Case("no output", call(lambda x: (x @ x.T, None)[1]), lambda: r(2, 8), 32),
    Case("generator", call(lambda x: list(x @ x.T for _ in range(3))), lambda: r(2, 8), 96),
    Case("nested inputs", call(lambda pair: pair["a"] @ pair["b"][0]),
         lambda: ({"a": r(2, 3), "b": [r(3, 4)]},), 24),
    Case("no inputs", call(lambda: torch.ones(2, 3) @ torch.ones(3, 4)), lambda: (), 24),
]  # fmt: skip

CASES = [*LINEAR, *CONVOLUTION, *RECURRENT, *ATTENTION, *SHAPES_OF_MODELS]
