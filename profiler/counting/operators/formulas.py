"""The table of operators with a formula: one line each.

`weights` are the positions of arguments that may hold the weight: where the tensor there comes
from parameters alone, its zeros are what separates effective from dense MACs. To add an operator,
add a line to FORMULAS and a case to tests/unit/counting/test_formulas.py.

An operator that is not in the table falls back on torch's own `flop_registry` (halved), which
also holds what a user registered with `register_flop_formula`.
"""

from __future__ import annotations

from math import prod

from .definitions import (
    Formula,
    attention,
    attention_backward,
    cdist_backward,
    conv_tbc,
    convolution,
    convolution_backward,
    cudnn_rnn,
    cudnn_rnn_backward,
    distances,
    encoder_layer,
    forward_convolution,
    fourier_operations,
    grouped_mm,
    linear,
    mkldnn_rnn,
    mkldnn_rnn_backward,
    native_attention,
    packed_convolution,
    packed_linear,
    packed_transposed_convolution,
    product,
    quantized_cell,
    quantized_recurrent,
    rows_times_weight,
    transposed_convolution,
    trilinear,
)


def _size(position: int) -> Formula:
    return Formula(lambda args, out: int(args[position].numel()), (0, 1))


_CONV = Formula(convolution, (1,))
_PLAIN_CONV = Formula(forward_convolution, (1,))
_TRANSPOSED_CONV = Formula(transposed_convolution, (1,))
_ATTENTION = Formula(attention)
_ATTENTION_BACKWARD = Formula(attention_backward)
_PACKED_LINEAR = Formula(packed_linear, (1,))
_PACKED_CONV = Formula(packed_convolution, (1,))
_PACKED_TRANSPOSED = Formula(packed_transposed_convolution, (1,))

FORMULAS: dict[str, Formula] = {
    "aten.mm": product(0, 1),
    "aten.bmm": product(0, 1),
    "aten.addmm": product(1, 2),
    "aten._addmm_activation": product(1, 2),
    "aten.baddbmm": product(1, 2),
    "aten.addbmm": product(1, 2),
    "aten.mv": product(0, 1),
    "aten.addmv": product(1, 2),
    "aten.dot": _size(0),
    "aten.vdot": _size(0),
    "aten.addr": Formula(lambda args, out: int(args[1].numel() * args[2].numel()), (1, 2)),
    "aten.linear": Formula(linear, (1,)),
    "aten._int_mm": product(0, 1),
    "aten._scaled_mm": product(0, 1),
    "aten._scaled_mm_v2": product(0, 1),
    "aten._grouped_mm": Formula(grouped_mm, (1,)),
    "aten._scaled_grouped_mm": Formula(grouped_mm, (1,)),
    "aten._sparse_mm": product(0, 1),
    "aten._sparse_addmm": product(1, 2),
    "aten.sspaddmm": product(1, 2),
    "aten._sparse_mm_reduce_impl": product(0, 1),
    "aten.mkldnn_linear": Formula(linear, (1,)),
    "aten._weight_int8pack_mm": Formula(rows_times_weight, (1,)),
    "aten._weight_int4pack_mm": Formula(rows_times_weight, (1,)),
    "aten._weight_int4pack_mm_for_cpu": Formula(rows_times_weight, (1,)),
    "aten._dyn_quant_matmul_4bit": Formula(rows_times_weight, (1,)),
    "aten.convolution": _CONV,
    "aten._convolution": _CONV,
    "aten.convolution_overrideable": _CONV,
    "aten.cudnn_convolution": _PLAIN_CONV,
    "aten.cudnn_convolution_relu": _PLAIN_CONV,
    "aten.cudnn_convolution_add_relu": _PLAIN_CONV,
    "aten.mkldnn_convolution": _PLAIN_CONV,
    "aten._slow_conv2d_forward": _PLAIN_CONV,
    "aten.slow_conv3d_forward": _PLAIN_CONV,
    "aten.slow_conv_dilated2d": _PLAIN_CONV,
    "aten.slow_conv_dilated3d": _PLAIN_CONV,
    "aten._conv_depthwise2d": _PLAIN_CONV,
    "aten.conv_depthwise3d": _PLAIN_CONV,
    "aten._nnpack_spatial_convolution": _PLAIN_CONV,
    "aten.miopen_convolution": _PLAIN_CONV,
    "aten.miopen_depthwise_convolution": _PLAIN_CONV,
    "aten._mps_convolution": _PLAIN_CONV,
    "aten.cudnn_convolution_transpose": _TRANSPOSED_CONV,
    "aten.miopen_convolution_transpose": _TRANSPOSED_CONV,
    "aten.slow_conv_transpose2d": _TRANSPOSED_CONV,
    "aten.slow_conv_transpose3d": _TRANSPOSED_CONV,
    "aten.conv_tbc": Formula(conv_tbc, (1,)),
    "aten.convolution_backward": Formula(convolution_backward, (2,)),
    "aten.convolution_backward_overrideable": Formula(convolution_backward, (2,)),
    "aten._scaled_dot_product_flash_attention_for_cpu": _ATTENTION,
    "aten._scaled_dot_product_flash_attention": _ATTENTION,
    "aten._scaled_dot_product_efficient_attention": _ATTENTION,
    "aten._scaled_dot_product_cudnn_attention": _ATTENTION,
    "aten._scaled_dot_product_fused_attention_overrideable": _ATTENTION,
    "aten._scaled_dot_product_attention_math_for_mps": _ATTENTION,
    "aten._scaled_dot_product_flash_attention_for_cpu_backward": _ATTENTION_BACKWARD,
    "aten._scaled_dot_product_flash_attention_backward": _ATTENTION_BACKWARD,
    "aten._scaled_dot_product_efficient_attention_backward": _ATTENTION_BACKWARD,
    "aten._scaled_dot_product_cudnn_attention_backward": _ATTENTION_BACKWARD,
    "aten._scaled_dot_product_fused_attention_overrideable_backward": _ATTENTION_BACKWARD,
    "aten._native_multi_head_attention": Formula(native_attention, (5, 7)),
    "aten._transformer_encoder_layer_fwd": Formula(encoder_layer, (3, 5, 14, 16)),
    "aten.mkldnn_rnn_layer": Formula(mkldnn_rnn, (1, 2)),
    "aten.mkldnn_rnn_layer_backward": Formula(mkldnn_rnn_backward),
    "aten._cudnn_rnn": Formula(cudnn_rnn, (1,)),
    "aten._cudnn_rnn_backward": Formula(cudnn_rnn_backward),
    "aten.miopen_rnn": Formula(cudnn_rnn, (1,)),
    "aten.miopen_rnn_backward": Formula(cudnn_rnn_backward),
    "aten.quantized_lstm": Formula(lambda args, out: quantized_recurrent(args, out, gates=4)),
    "aten.quantized_gru": Formula(lambda args, out: quantized_recurrent(args, out, gates=3)),
    "quantized.quantized_lstm_cell_dynamic": Formula(
        lambda args, out: quantized_cell(args, out, gates=4), (2, 3)
    ),
    "quantized.quantized_gru_cell_dynamic": Formula(
        lambda args, out: quantized_cell(args, out, gates=3), (2, 3)
    ),
    "quantized.quantized_rnn_tanh_cell_dynamic": Formula(
        lambda args, out: quantized_cell(args, out, gates=1), (2, 3)
    ),
    "quantized.quantized_rnn_relu_cell_dynamic": Formula(
        lambda args, out: quantized_cell(args, out, gates=1), (2, 3)
    ),
    "aten._trilinear": Formula(trilinear, (1,)),
    "aten._cdist_forward": Formula(distances),
    "aten._euclidean_dist": Formula(distances),
    "aten._pdist_forward": Formula(distances),
    "aten._cdist_backward": Formula(cdist_backward),
    "quantized.linear": _PACKED_LINEAR,
    "quantized.linear_relu": _PACKED_LINEAR,
    "quantized.linear_leaky_relu": _PACKED_LINEAR,
    "quantized.linear_tanh": _PACKED_LINEAR,
    "quantized.linear_dynamic": _PACKED_LINEAR,
    "quantized.linear_relu_dynamic": _PACKED_LINEAR,
    "quantized.linear_dynamic_fp16": _PACKED_LINEAR,
    "quantized.linear_relu_dynamic_fp16": _PACKED_LINEAR,
    "quantized.conv1d": _PACKED_CONV,
    "quantized.conv2d": _PACKED_CONV,
    "quantized.conv3d": _PACKED_CONV,
    "quantized.conv1d_relu": _PACKED_CONV,
    "quantized.conv2d_relu": _PACKED_CONV,
    "quantized.conv3d_relu": _PACKED_CONV,
    "quantized.conv2d_add": _PACKED_CONV,
    "quantized.conv2d_add_relu": _PACKED_CONV,
    "quantized.conv1d_dynamic": _PACKED_CONV,
    "quantized.conv2d_dynamic": _PACKED_CONV,
    "quantized.conv3d_dynamic": _PACKED_CONV,
    "quantized.conv_transpose1d": _PACKED_TRANSPOSED,
    "quantized.conv_transpose2d": _PACKED_TRANSPOSED,
    "quantized.conv_transpose3d": _PACKED_TRANSPOSED,
    "onednn.qlinear_pointwise": Formula(rows_times_weight, (3,)),
    "onednn.qconv_pointwise": Formula(
        lambda args, out: int(out.numel()) * prod(args[3].shape[1:]), (3,)
    ),
    "mkldnn._linear_pointwise": Formula(linear, (1,)),
    "mkldnn._convolution_pointwise": _PLAIN_CONV,
    "torchvision.deform_conv2d": _PLAIN_CONV,
}

FOURIER: dict[str, Formula] = {
    "aten._fft_c2c": Formula(lambda args, out: fourier_operations(out, args[1], is_real=False)),
    "aten._fft_r2c": Formula(lambda args, out: fourier_operations(args[0], args[1], is_real=True)),
    "aten._fft_c2r": Formula(lambda args, out: fourier_operations(out, args[1], is_real=True)),
}
"""Real operations of Fourier transforms, which have no MACs and are counted beside them."""
