"""Operators known to have no multiply-accumulates of the kind that is counted.

Counted are convolutions and matrix products. Everything element-wise, every reduction, pooling,
normalization, resampling, lookup, copy and random number has none by this definition. What is in
none of the tables is reported as uncounted: so a name goes in here only after somebody looked.
Names are without their overload, the trailing underscore of the in-place form and the suffixes
of SUFFIXES.
"""

from __future__ import annotations

SUFFIXES = ("_backward", "_backward_data", "_backward_jvp", "_functional", "_copy", "_no_stats")

_MAKING = """
    empty empty_like empty_strided empty_permuted empty_quantized new_empty new_empty_strided
    _empty_affine_quantized _empty_per_channel_affine_quantized _efficientzerotensor zeros
    zeros_like new_zeros _new_zeros_with_same_feature_meta ones ones_like new_ones full full_like
    new_full arange range linspace logspace eye scalar_tensor tensor tril_indices triu_indices
    bartlett_window blackman_window hamming_window hann_window kaiser_window from_file
    rand rand_like randn randn_like randint randint_like randperm normal normal_ uniform
    bernoulli multinomial poisson binomial exponential cauchy geometric log_normal random
    dropout native_dropout _fused_dropout _masked_scale _sample_dirichlet _standard_gamma
    _standard_gamma_grad _dirichlet_grad rrelu_with_noise complex polar
"""

_MOVING = """
    _unsafe_view _reshape_alias reshape lift lift_fresh clone contiguous copy copy_ _to_copy to
    _copy_from _copy_from_and_resize _lazy_clone alias detach data set resize resize_as
    _resize_output cat concat stack _stack _chunk_cat chunk split unsafe_split
    unsafe_split_with_sizes split_with_sizes repeat repeat_interleave tile expand roll rot90 flip
    pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
    replication_pad2d replication_pad3d im2col col2im unfold unfold_backward pixel_shuffle
    pixel_unshuffle channel_shuffle select slice diagonal diag_embed block_diag select_scatter
    slice_scatter diagonal_scatter as_strided_scatter index _index_put_impl index_put index_add
    index_fill index_copy index_reduce index_select _unsafe_index _unsafe_index_put
    _unsafe_masked_index _unsafe_masked_index_put_accumulate gather scatter scatter_add
    scatter_reduce masked_fill masked_scatter masked_select put take tril triu trace fill zero
    _pin_memory pin_memory is_pinned lu_unpack to_padded_tensor _padded_dense_to_jagged_forward
    _jagged_to_padded_dense_forward _pack_padded_sequence _pad_packed_sequence to_mkldnn to_dense
    _to_dense _to_sparse _to_sparse_csr _to_sparse_csc _to_sparse_bsr _to_sparse_bsc
    _to_sparse_semi_structured _to_cpu _coalesce _coalesced coalesce sparse_mask
    sparse_coo_tensor _sparse_coo_tensor_unsafe _sparse_coo_tensor_with_dims
    _sparse_coo_tensor_with_dims_and_tensors _sparse_compressed_tensor_with_dims
    sparse_compressed_tensor _sparse_compressed_tensor_unsafe _convert_indices_from_coo_to_csr
    _convert_indices_from_csr_to_coo mkldnn_reorder_conv2d_weight mkldnn_reorder_conv3d_weight
    _mkldnn_reshape _mkldnn_transpose _cudnn_rnn_flatten_weight _cudnn_init_dropout_state
    _convert_weight_to_int4pack _convert_weight_to_int4pack_for_cpu
    _dyn_quant_pack_4bit_weight _cslt_compress _spdiags _values _indices values indices
    crow_indices col_indices _nnz
"""

_REDUCING = """
    sum mean nansum prod any all amax amin aminmax _aminmax max min argmax argmin median nanmedian
    mode kthvalue logsumexp var var_mean std std_mean norm native_norm linalg_vector_norm
    linalg_norm renorm dist cumsum cumprod cummax cummin logcumsumexp _logcumsumexp count_nonzero
    nonzero nonzero_static histc histogram bincount topk sort argsort msort searchsorted bucketize
    unique_dim unique_consecutive unique_dim_consecutive _unique _unique2 isin equal allclose
    segment_reduce _segment_reduce _sparse_sum _sparse_csr_sum _sparse_csr_prod is_nonzero item
    _local_scalar_dense _is_all_true _is_any_true hash_tensor _linalg_check_errors
    _assert_async _assert_scalar _assert_tensor_metadata _functional_assert_async
    _functional_assert_scalar sym_constrain_range sym_constrain_range_for_size
    _functional_sym_constrain_range _functional_sym_constrain_range_for_size _make_dep_token
    _has_same_storage_numel _version is_same_size
"""

_NORMALIZING = """
    native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training
    _batch_norm_no_update _batch_norm_with_update cudnn_batch_norm miopen_batch_norm batch_norm
    batch_norm_elemt batch_norm_backward_elemt batch_norm_backward_reduce batch_norm_gather_stats
    batch_norm_gather_stats_with_counts batch_norm_stats batch_norm_update_stats
    quantized_batch_norm native_group_norm native_layer_norm rms_norm _fused_rms_norm
    _weight_norm_interface softmax _softmax log_softmax _log_softmax _safe_softmax
    _masked_softmax _sparse_softmax _sparse_log_softmax _transform_bias_rescale_qkv
"""

_POOLING = """
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d max_pool2d
    max_pool1d max_pool3d max_pool2d_with_indices max_pool3d_with_indices max_unpool2d
    max_unpool3d fractional_max_pool2d fractional_max_pool3d mkldnn_max_pool2d mkldnn_max_pool3d
    mkldnn_adaptive_avg_pool2d quantized_max_pool1d quantized_max_pool2d quantized_max_pool3d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d
    upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa
    _upsample_lanczos2d_aa grid_sampler_2d grid_sampler_3d _grid_sampler_2d_cpu_fallback
    cudnn_grid_sampler affine_grid_generator cudnn_affine_grid_generator embedding
    embedding_dense embedding_renorm _embedding_bag _embedding_bag_forward_only
    _embedding_bag_dense _embedding_bag_per_sample_weights
"""

_ACTIVATING = """
    glu glu_jvp elu hardtanh hardswish hardsigmoid hardshrink leaky_relu log_sigmoid
    log_sigmoid_forward softplus softshrink _prelu_kernel prelu rrelu gelu silu mish threshold
    sigmoid tanh _add_relu lerp fill_ floor_divide round_ floor mul add sub div relu
    _thnn_fused_lstm_cell _thnn_fused_lstm_cell_backward_impl _thnn_fused_gru_cell
    mse_loss l1_loss huber_loss smooth_l1_loss soft_margin_loss multi_margin_loss
    multilabel_margin_loss multilabel_margin_loss_forward nll_loss nll_loss_forward
    nll_loss2d nll_loss2d_forward binary_cross_entropy binary_cross_entropy_with_logits
    _ctc_loss _cudnn_ctc_loss miopen_ctc_loss _amp_update_scale
    _amp_foreach_non_finite_check_and_unscale
"""

_QUANTIZING = """
    quantize_per_tensor quantize_per_tensor_dynamic quantize_per_channel dequantize int_repr
    q_scale q_zero_point q_per_channel_scales q_per_channel_zero_points
    _make_per_tensor_quantized_tensor _make_per_channel_quantized_tensor
    fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine_cachemask
    _fake_quantize_per_tensor_affine_cachemask_tensor_qparams
    _fake_quantize_learnable_per_tensor_affine _fake_quantize_learnable_per_channel_affine
    _fused_moving_avg_obs_fq_helper _choose_qparams_per_tensor choose_qparams_optimized
"""

_OTHER_LIBRARIES = """
    quantized.add quantized.add_relu quantized.add_out quantized.add_scalar quantized.mul
    quantized.mul_relu quantized.mul_scalar quantized.cat quantized.cat_relu quantized.relu6
    quantized.leaky_relu quantized.hardswish quantized.elu quantized.celu quantized.prelu
    quantized.sigmoid quantized.softmax quantized.batch_norm quantized.batch_norm1d
    quantized.batch_norm2d quantized.batch_norm2d_relu quantized.batch_norm3d
    quantized.batch_norm3d_relu quantized.layer_norm quantized.group_norm
    quantized.instance_norm quantized.clamp quantized.max_pool1d quantized.max_pool2d
    quantized.threshold quantized.dropout quantized.embedding_byte quantized.embedding_4bit
    quantized.embedding_bag_byte quantized.embedding_bag_4bit quantized.linear_prepack
    quantized.linear_unpack quantized.conv2d_prepack
    quantized.conv1d_prepack quantized.conv3d_prepack quantized.make_quantized_cell_params_dynamic
    quantized_decomposed.quantize_per_tensor quantized_decomposed.quantize_per_channel
    quantized_decomposed.quantize_per_token quantized_decomposed.quantize_per_channel_group
    quantized_decomposed.dequantize_per_tensor quantized_decomposed.dequantize_per_channel
    quantized_decomposed.dequantize_per_token quantized_decomposed.dequantize_per_channel_group
    quantized_decomposed.choose_qparams quantized_decomposed.choose_qparams_symmetric
    quantized_decomposed.choose_qparams_per_token
    quantized_decomposed.choose_qparams_per_token_asymmetric
    quantized_decomposed.fake_quant_per_channel
    quantized_decomposed._choose_qparams_per_token_asymmetric_impl
    torchvision.nms torchvision.roi_align torchvision.roi_pool torchvision.ps_roi_align
    torchvision.ps_roi_pool torchvision._roi_align_backward torchvision._roi_pool_backward
    prim.device prim.layout profiler._record_function_enter profiler._record_function_enter_new
    profiler._record_function_exit onednn.qconv_prepack onednn.qlinear_prepack
    mkldnn._reorder_convolution_weight mkldnn._reorder_linear_weight
"""

_ATEN = " ".join(
    (_MAKING, _MOVING, _REDUCING, _NORMALIZING, _POOLING, _ACTIVATING, _QUANTIZING)
).split()

NO_MACS: frozenset[str] = frozenset([f"aten.{name}" for name in _ATEN] + _OTHER_LIBRARIES.split())


def has_no_macs(name: str) -> bool:
    """Whether an operator ("aten.relu_", "aten.elu_backward") is known to have no MACs."""
    if name.startswith("aten._foreach_"):
        return True
    bare = name.rstrip("_") if not name.endswith("__") else name
    if name in NO_MACS or bare in NO_MACS:
        return True
    return any(bare.removesuffix(suffix) in NO_MACS for suffix in SUFFIXES if bare.endswith(suffix))


_METADATA = """
    aten.sym_is_contiguous aten.is_contiguous aten.is_strides_like_format aten.size aten.dim
    aten.is_non_overlapping_and_dense aten.sym_size aten.stride aten.sym_stride aten.numel
    aten.storage_offset aten.sym_storage_offset aten.sym_numel prim.layout
"""
_STILL = """
    aten._unsafe_view aten._reshape_alias aten.lift_fresh aten.lift aten.detach aten.alias
    aten.resize_ aten.set_ aten.as_strided_ aten._local_scalar_dense aten.record_stream aten._nnz
    aten._version aten.is_same_size aten._has_same_storage_numel prim.device
    aten._nested_tensor_size
    profiler._record_function_enter profiler._record_function_enter_new
    profiler._record_function_exit
"""
_UNWRITTEN = """
    aten.empty aten.empty_like aten.empty_strided aten.empty_permuted aten.new_empty
    aten.new_empty_strided aten._empty_affine_quantized aten._efficientzerotensor
    aten._empty_per_channel_affine_quantized aten.empty_quantized
"""
_LOOKUPS = """
    aten.embedding aten.index aten.gather aten.index_select aten.take aten.masked_select
    aten._unsafe_index
"""
_OVERWRITING = """
    aten.fill_ aten.zero_ aten.copy_ aten.normal_ aten.uniform_ aten.bernoulli_ aten.random_
    aten.exponential_ aten.geometric_ aten.cauchy_ aten.log_normal_ aten._copy_from
"""

METADATA = frozenset(_METADATA.split())
"""They ask about a tensor; nothing runs."""
STILL = frozenset(_STILL.split())
"""They move no data, though their schema does not say that they make a view."""
UNWRITTEN = frozenset(_UNWRITTEN.split())
"""Their result is memory that nobody has written yet."""
LOOKUPS = frozenset(_LOOKUPS.split())
"""They read as much of each argument as they write, at most."""
OVERWRITING = frozenset(_OVERWRITING.split())
"""They write to their first argument without reading it."""
