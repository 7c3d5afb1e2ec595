"""How the C library hands out memory in a process, and the environment that decides it.

By default glibc returns large blocks to the kernel as they are freed, and the kernel hands out
zeroed pages for the next ones. Whether it does so in every call or in none is settled by the order
of the first calls, and stays so for the life of a process: resnet18 at batch 64 has been seen with
46,000 page faults and 140 ms of system time a call, or none. The steady state is what servers run,
which are started with jemalloc, tcmalloc or these very thresholds.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass

STEADY, SYSTEM = "steady", "system"
ALLOCATORS = (STEADY, SYSTEM)

REUSED_MIB, REUSE_COUNT = 48, 4
_PRELOADED = ("jemalloc", "tcmalloc", "mimalloc")
_GLIBC_KEEPS = {
    # Blocks up to 32 MiB, the most that glibc takes, come from the heap; larger ones too, because
    # none may be mapped by itself. The heap is never trimmed, and grows by 64 MiB at a time.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}


def allocator_environment(name: str, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process with that allocator; what the user has set stays."""
    if name == SYSTEM or _preloaded(given):
        return dict(given)
    return {**_GLIBC_KEEPS, **given}


def allocator_in_use() -> str:
    """What this process was started with: a preloaded library's name, "steady" or "system"."""
    preloaded = _preloaded(os.environ)
    if preloaded is not None:
        return preloaded
    is_glibc = platform.libc_ver()[0] == "glibc"
    keeps = all(os.environ.get(key) == value for key, value in _GLIBC_KEEPS.items())
    return STEADY if is_glibc and keeps else SYSTEM


def _preloaded(environment: Mapping[str, str]) -> str | None:
    libraries = environment.get("LD_PRELOAD", "")
    return next((name for name in _PRELOADED if name in libraries), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreedMemory:
    """What becomes of a large block that is freed and asked for again, as seen in this process.

    Args:
        allocator: see `allocator_in_use`.
        block_mib: size of the block; above what glibc can be told to take from its heap.
        fault_count: minor page faults each time.
        system_s: seconds in the kernel each time.
        elapsed_s: seconds altogether, to fill the block included.
    """

    allocator: str
    block_mib: int
    fault_count: int
    system_s: float
    elapsed_s: float


def reuse_memory() -> FreedMemory:
    """Fill and free one block a few times, the first of which is not counted."""
    size = REUSED_MIB * 2**20
    _fill(size)
    before, begun_s = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    for _ in range(REUSE_COUNT):
        _fill(size)
    elapsed_s = time.monotonic() - begun_s
    after = resource.getrusage(resource.RUSAGE_SELF)
    return FreedMemory(
        allocator=allocator_in_use(),
        block_mib=REUSED_MIB,
        fault_count=round((after.ru_minflt - before.ru_minflt) / REUSE_COUNT),
        system_s=(after.ru_stime - before.ru_stime) / REUSE_COUNT,
        elapsed_s=elapsed_s / REUSE_COUNT,
    )


def _fill(size: int) -> None:
    """Ask for memory, write to each of its pages, and free it."""
    b"\1".ljust(size, b"\1")
