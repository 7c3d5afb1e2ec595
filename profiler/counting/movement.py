"""Operators whose traffic is not simply all arguments in and all results out."""

from __future__ import annotations

_METADATA = """
    aten.sym_is_contiguous aten.is_contiguous aten.is_strides_like_format aten.size aten.dim
    aten.is_non_overlapping_and_dense aten.sym_size aten.stride aten.sym_stride aten.numel
    aten.storage_offset aten.sym_storage_offset aten.sym_numel prim.layout
"""
_STILL = """
    aten._unsafe_view aten._reshape_alias aten.lift_fresh aten.lift aten.detach aten.alias
    aten.resize_ aten.set_ aten.as_strided_ aten._local_scalar_dense aten.record_stream aten._nnz
    aten._version aten.is_same_size aten._has_same_storage_numel prim.device
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
