from __future__ import annotations

from pathlib import Path

import pytest

from profiler.machine.device import Device
from training.recipe import Recipe
from training.run.precision import judge_precision


def device(name: str) -> Device:
    return Device(name=name, label="a chip", identity=None, synchronize=lambda: None)


@pytest.mark.parametrize(
    ("flags", "dtype", "name", "is_slow"),
    [
        ("flags\t\t: fpu avx2 avx512f", "bf16", "cpu", True),
        ("flags\t\t: fpu avx512f avx512_bf16", "bf16", "cpu", False),
        ("flags\t\t: fpu amx_bf16 amx_tile", "bf16", "cpu", False),
        ("Features\t: fp asimd bf16 i8mm", "bf16", "cpu", False),
        ("Features\t: fp asimd", "bf16", "cpu", True),
        ("flags\t\t: fpu avx2", "fp32", "cpu", False),
        ("flags\t\t: fpu avx2", "bf16", "cuda:0", False),
        ("nothing is said here", "bf16", "cpu", False),
    ],
)
def test_imitated_bf16_is_found(
    tmp_path: Path, flags: str, dtype: str, name: str, is_slow: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n", encoding="utf-8")
    found = judge_precision(Recipe(dtype=dtype), device(name), tmp_path / "cpuinfo")
    assert [item.kind for item in found] == (["slow-bf16"] if is_slow else [])


def test_an_unknown_cpu_is_not_judged(tmp_path: Path) -> None:
    assert judge_precision(Recipe(), device("cpu"), tmp_path / "absent") == ()
