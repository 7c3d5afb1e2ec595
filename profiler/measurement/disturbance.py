"""Which blocks other work disturbed, by the kernel's own accounting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import TypeVar

from profiler.values.repetition import Block, Turns

Span = TypeVar("Span", Block, Turns)

QUARTER = 0.25
"""CPUs that an idle machine keeps busy by itself now and then, or a small load all the time."""

UNUSUAL_WAIT_SHARE = 0.05
TICKS_S = 0.02
"""The machine's busy time is counted in ticks of 10 ms, of which two may fall on either edge."""


def marked(blocks: Sequence[Span]) -> tuple[Span, ...]:
    """The same blocks or turns, each with whether other work disturbed it.

    A block is disturbed where others kept a quarter of a CPU busy beyond what is usual in this run
    (their joules are in the machine's, and what they do to caches and clocks in its time), or where
    a working thread had to wait for a CPU: for a quarter of the block, or noticeably longer than is
    usual. So a small load that never ends does not disturb every block, but widens the interval:
    up to a quarter of a CPU it is part of the machine, and is in its joules.

    Time and joules are not judged apart. A block in which others worked, but no thread waited, has
    clocks and caches of its own, which nothing here accounts for; and joules are mean power x
    latency, of the same blocks, so that what nobody noticed moves both alike.
    """
    longest_wait = min(QUARTER, _usual(blocks, "run_queue_wait_s") + UNUSUAL_WAIT_SHARE)
    limits = {
        "run_queue_wait_s": (longest_wait, 0.0),
        "stolen_s": (QUARTER, TICKS_S),
        "other_cpu_s": (QUARTER + min(QUARTER, _usual(blocks, "other_cpu_s")), TICKS_S),
    }
    return tuple(
        replace(
            block,
            is_disturbed=any(
                (_seconds(block, name) or 0.0) > share * block.duration_s + ticks_s
                for name, (share, ticks_s) in limits.items()
            ),
        )
        for block in blocks
    )


def _usual(blocks: Sequence[Span], name: str) -> float:
    """Median share of the time of a block."""
    shares = [
        seconds / block.duration_s
        for block in blocks
        if block.duration_s > 0 and (seconds := _seconds(block, name)) is not None
    ]
    return median(shares) if shares else 0.0


def _seconds(block: Block | Turns, name: str) -> float | None:
    seconds: float | None = getattr(block.account, name)
    return seconds
