"""Whether a CPU has instructions for bf16, or imitates them."""

from __future__ import annotations

from pathlib import Path

from profiler.machine.device import Device
from profiler.machine.environment import CPU_INFO, cpu_flags
from profiler.values.findings import Finding
from training.recipe import Recipe

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def judge_precision(
    recipe: Recipe, device: Device, cpu_info: Path = CPU_INFO
) -> tuple[Finding, ...]:
    """A finding where the recipe asks a CPU for bf16 that has no instruction for it.

    The lightweight model trains at 1180 images per CPU second in fp32 and at 510 in bf16 on AVX-512
    without its bf16 extension, at 1100 and 100 on AVX2 (AMD EPYC, the extensions switched off by
    ONEDNN_MAX_CPU_ISA; with them 1930 in bf16).

    Args:
        recipe: its `dtype` is read.
        device: where it is trained.
        cpu_info: the kernel's description of the CPUs; where it says nothing, nothing is found.
    """
    if device.is_gpu or recipe.dtype != "bf16":
        return ()
    flags = cpu_flags(cpu_info)
    if not flags or BF16_FLAGS & flags:
        return ()
    return (
        Finding(
            kind="slow-bf16",
            observed=f"{device.label} has no instructions for bf16, which it imitates several "
            "times slower than it computes in fp32",
            remedy="train with --dtype fp32 on this CPU",
        ),
    )
