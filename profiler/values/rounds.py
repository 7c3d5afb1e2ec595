"""Two models measured in turns: what their rounds say about a ratio."""

from __future__ import annotations

import math
from collections import Counter

from .repetition import Block, Repetition
from .statistics import Interval, process_interval

FEWEST_ROUNDS = 4


def in_turns(base: Repetition, other: Repetition) -> bool:
    """Whether these are two of the models of one series, measured block beside block."""
    return base.series == other.series and base.blocks != other.blocks


def latency_ratio_of_rounds(base: Repetition, other: Repetition) -> Interval | None:
    """Seconds a call of other / base, from rounds in which neither was disturbed; at 95 %.

    Paired on the logarithm: whatever moves both blocks of a round alike (heat, clocks, neighbours,
    the state of their process) cancels. Every second round of a process runs in the reverse order
    of the one before it; the two count as one value, so that a steady drift cancels as well. None
    where fewer than `FEWEST_ROUNDS` rounds are left.
    """
    first, second = _by_round(base), _by_round(other)
    logs: dict[tuple[int, int], list[float]] = {}
    seen: Counter[int] = Counter()
    for block in base.blocks:
        key = block.process, seen[block.process] // 2
        seen[block.process] += 1
        if block.round in first and block.round in second:
            log = math.log(second[block.round].latency_s / first[block.round].latency_s)
            logs.setdefault(key, []).append(log)
    if sum(map(len, logs.values())) < FEWEST_ROUNDS:
        return None
    log_ratio = process_interval(
        [math.fsum(pair) / len(pair) for pair in logs.values()], [process for process, _ in logs]
    )
    return Interval(*(math.exp(min(end, 700.0)) for end in log_ratio))


def _by_round(repetition: Repetition) -> dict[int, Block]:
    return {
        block.round: block
        for block in repetition.blocks
        if not block.is_disturbed and block.duration_s > 0
    }
