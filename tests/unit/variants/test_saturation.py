"""Sums of 8-bit products that a CPU without VNNI cuts off."""

from __future__ import annotations

import pytest

from profiler.variants.pt2e import saturates


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2"}, True),
        ({"avx2", "avx512f", "avx512bw"}, True),
        ({"avx2", "avx512f", "avx512_vnni"}, False),
        ({"avx2", "avx_vnni"}, False),
        ({"asimd", "asimddp"}, False),
        (set(), False),
    ],
)
def test_products_overflow_where_there_is_avx2_without_vnni(
    flags: set[str], expected: bool
) -> None:
    assert saturates(frozenset(flags)) is expected
