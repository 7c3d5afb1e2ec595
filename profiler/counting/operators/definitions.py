"""Multiply-accumulates by definition, from the arguments of an operator and its result.

A formula takes the positional arguments as the dispatcher hands them over, and the result. MACs
are elements of the joint index space: what a kernel saves by a trick, or wastes by padding, does
not change them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any

import torch

Args = Sequence[Any]
Count = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Formula:
    """MACs of an operator, and which of its arguments may be its weight.

    Args:
        mac_count: from the positional arguments and the result.
        weights: positions of arguments that may be the weight.
        with_keywords: whether `mac_count` wants the operator's keyword arguments as well.
    """

    mac_count: Count
    weights: tuple[int, ...] = ()
    with_keywords: bool = False


def _stored(tensor: torch.Tensor) -> int:
    """Elements that a product has to visit: those a sparse layout stores, else all."""
    if tensor.layout is torch.strided or tensor.is_mkldnn:
        return int(tensor.numel())
    values = tensor._values() if tensor.layout is torch.sparse_coo else tensor.values()
    return int(values.numel())


def product(left: int, right: int) -> Formula:
    """[..., m, k] x [..., k, n]; of a sparse operand only the stored elements count."""

    def count(args: Args, out: Any) -> int:
        a, b = args[left], args[right]
        columns = b.shape[-1] if b.dim() > 1 else 1
        if b.layout is not torch.strided and a.layout is torch.strided:
            return _stored(b) * int(a.shape[-2] if a.dim() > 1 else 1)
        return _stored(a) * int(columns)

    return Formula(count, (left, right))


def linear(args: Args, out: Any) -> int:
    """Rows x in x out."""
    x, weight = args[0], args[1]
    return int(x.numel()) * int(weight.shape[0] if weight.dim() > 1 else 1)


def packed_linear(args: Args, out: Any) -> int:
    """The weight is an opaque packed object: in features and out features are on the tensors."""
    return int(args[0].numel()) * int(out.shape[-1])


def convolution(args: Args, out: Any) -> int:
    """Output positions x kernel x in/groups x out; a transposed one walks its input instead."""
    return _conv_macs(args[0], args[1], out, transposed=len(args) > 6 and bool(args[6]))


def _conv_macs(x: Any, weight: Any, out: Any, *, transposed: bool) -> int:
    return int((x if transposed else out).numel()) * int(prod(weight.shape[1:]))


def forward_convolution(args: Args, out: Any) -> int:
    """A convolution known not to be transposed."""
    return _conv_macs(args[0], args[1], out, transposed=False)


def transposed_convolution(args: Args, out: Any) -> int:
    """A convolution known to be transposed."""
    return _conv_macs(args[0], args[1], out, transposed=True)


def packed_convolution(args: Args, out: Any) -> int:
    """A quantized convolution, whose weight has to be unpacked to be seen."""
    return int(out.numel()) * _size_of(args[1].unpack()[0].shape[1:])


def packed_transposed_convolution(args: Args, out: Any) -> int:
    """Its transposed form."""
    return int(args[0].numel()) * _size_of(args[1].unpack()[0].shape[1:])


def convolution_backward(args: Args, out: Any) -> int:
    """Each gradient asked for (input, weight) costs what the forward did, grouped or not."""
    grad_out, x, weight, transposed, mask = args[0], args[1], args[2], args[7], args[10]
    forward = _conv_macs(x, weight, grad_out, transposed=bool(transposed))
    return forward * (int(mask[0]) + int(mask[1]))


def conv_tbc(args: Args, out: Any) -> int:
    """[time, batch, channels] against [kernel, in, out]."""
    return int(out.numel()) * _size_of(args[1].shape[:2])


def attention(args: Args, out: Any) -> int:
    """QK^T and PV over all heads of the query; a mask or causality takes nothing away."""
    query, key, value = args[0], args[1], args[2]
    rows = int(query.numel()) // int(query.shape[-1] or 1)
    return rows * int(key.shape[-2]) * int(query.shape[-1] + value.shape[-1])


def attention_backward(args: Args, out: Any) -> int:
    """Scores computed again, then the gradients of P, V, Q and K: five products."""
    query, key, value = args[1], args[2], args[3]
    rows = int(query.numel()) // int(query.shape[-1] or 1)
    return rows * int(key.shape[-2]) * int(3 * query.shape[-1] + 2 * value.shape[-1])


def _fused_attention(x: Any, heads_in: Any, qkv: Any, projection: Any) -> int:
    """One [batch, time, width] self- or cross-attention with its four projections."""
    batch, time, width = x.shape
    return int(
        batch * (time * (qkv.numel() + projection.numel()) + 2 * time * heads_in.shape[1] * width)
    )


def native_attention(args: Args, out: Any) -> int:
    """Self- or cross-attention with its four projections, of [batch, time, width]."""
    query, key = args[0], args[1]
    batch, time, width = query.shape
    source = key.shape[1]
    projections = time * width * width * 2 + source * width * width * 2
    return int(batch * (projections + 2 * time * source * width))


def encoder_layer(args: Args, out: Any) -> int:
    """A whole fused encoder layer: attention, then two linear layers."""
    x = args[0]
    attention = _fused_attention(x, x, args[3], args[5])
    return attention + int(x.shape[0] * x.shape[1] * (args[14].numel() + args[16].numel()))


def _size_of(shape: Any) -> int:
    return int(prod(shape))


def _positions(x: Any) -> int:
    """Time steps x batch, or tokens of a packed sequence: all axes but the features."""
    return int(prod(x.shape[:-1]))


def mkldnn_rnn(args: Args, out: Any) -> int:
    """One layer in one direction: both weight matrices meet every position."""
    return _positions(args[0]) * int(args[1].numel() + args[2].numel())


def mkldnn_rnn_backward(args: Args, out: Any) -> int:
    """Gradients of the inputs and of the weights."""
    return 2 * mkldnn_rnn(args, out)


def cudnn_rnn(args: Args, out: Any) -> int:
    """Every weight matrix meets every position once; biases are vectors."""
    matrices = (weight for weight in args[1] if weight.dim() == 2)
    return _positions(args[0]) * sum(int(weight.numel()) for weight in matrices)


def cudnn_rnn_backward(args: Args, out: Any) -> int:
    """Gradients of the inputs and of the weights."""
    return 2 * cudnn_rnn(args, out)


def quantized_recurrent(args: Args, out: Any, gates: int) -> int:
    """Input and hidden products of every layer and direction, by widths alone."""
    x, hidden = args[0], args[1]
    if isinstance(args[2], torch.Tensor) or isinstance(args[2][0], torch.Tensor):
        hidden = args[2]  # of a packed sequence: the batch sizes come before the state
    state = hidden if isinstance(hidden, torch.Tensor) else hidden[0]
    width = int(state.shape[-1])
    layer_count = next(arg for arg in args[3:] if type(arg) is int)
    directions = int(state.shape[0]) // layer_count
    inner = (layer_count - 1) * directions * (directions * width + width)
    outer = directions * (int(x.shape[-1]) + width)
    return _positions(x) * gates * width * (outer + inner)


def quantized_cell(args: Args, out: Any, gates: int) -> int:
    """One step of a quantized cell."""
    x, hidden = args[0], args[1]
    width = int((hidden if isinstance(hidden, torch.Tensor) else hidden[0]).shape[-1])
    return _positions(x) * gates * width * (int(x.shape[-1]) + width)


def rows_times_weight(args: Args, out: Any) -> int:
    """[..., k] against a packed weight whose rows are the last axis of the result."""
    return int(args[0].numel()) * int(out.shape[-1])


def trilinear(args: Args, out: Any) -> int:
    """One accumulation for every point of the joint index space."""
    shapes = []
    for tensor, expand in zip(args[:3], args[3:6], strict=True):
        shape = list(tensor.shape)
        for axis in sorted(expand):
            shape.insert(axis, 1)
        shapes.append(shape)
    return prod(max(sizes) if 0 not in sizes else 0 for sizes in zip(*shapes, strict=True))


def distances(args: Args, out: Any) -> int:
    """One accumulation per coordinate of every pair."""
    return int(out.numel()) * int(args[0].shape[-1])


def cdist_backward(args: Args, out: Any) -> int:
    """One accumulation per coordinate of every pair."""
    return int(args[0].numel()) * int(args[1].shape[-1])


def grouped_mm(args: Args, out: Any) -> int:
    """Rows x k x n, each row meeting the one group it belongs to."""
    a, b = args[0], args[1]
    if a.dim() == 2 and b.dim() == 2:
        return int(a.numel()) * int(b.shape[-1])
    return int(out.numel()) * int(a.shape[-1])


def fourier_operations(whole: Any, axes: Sequence[int], *, is_real: bool) -> int:
    """Real operations of a fast Fourier transform over `axes`: 5 N log2 N for N complex points.

    Half of it where one side is real. This is the customary count (radix 2), whatever the kernel
    does: M. Frigo and S. G. Johnson, The design and implementation of FFTW3, Proc. IEEE 93 (2005).
    """
    points = prod(whole.shape[axis] for axis in axes)
    return round((2.5 if is_real else 5) * int(whole.numel()) * log2(points)) if points else 0
