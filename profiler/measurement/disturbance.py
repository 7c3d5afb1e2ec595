"""Which blocks other work disturbed, by the kernel's own accounting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from profiler.values.repetition import Block

QUARTER = 0.25
"""CPUs that an idle machine keeps busy by itself now and then."""

UNUSUAL_WAIT_SHARE = 0.05
TICKS_S = 0.02
"""The machine's busy time is counted in ticks of 10 ms, of which two may fall on either edge."""


def marked(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The same blocks, each with whether other work disturbed it.

    A block is disturbed where others kept a quarter of a CPU busy (their joules are in the
    machine's, and what they do to caches and clocks in its time), or where a working thread had to
    wait for a CPU: for a quarter of the block, or noticeably longer than is usual in this run, so
    that a small load that never ends does not disturb every block, but widens the interval.
    """
    waits = [share for block in blocks if (share := _wait_share(block)) is not None]
    usual = median(waits) if waits else 0.0
    limit = min(QUARTER, usual + UNUSUAL_WAIT_SHARE)
    return tuple(replace(block, is_disturbed=_is_disturbed(block, limit)) for block in blocks)


def _is_disturbed(block: Block, longest_wait_share: float) -> bool:
    account, allowed_s = block.account, QUARTER * block.duration_s + TICKS_S
    taken = (account.other_cpu_s, account.stolen_s)
    return (_wait_share(block) or 0.0) > longest_wait_share or any(
        seconds is not None and seconds > allowed_s for seconds in taken
    )


def _wait_share(block: Block) -> float | None:
    wait_s = block.account.run_queue_wait_s
    return None if wait_s is None or block.duration_s <= 0 else wait_s / block.duration_s
