"""Two models measured in turns: what their rounds say about a ratio."""

from __future__ import annotations

import math

from .repetition import Block, Repetition
from .statistics import Interval, process_interval

FEWEST_ROUNDS = 4


def in_turns(base: Repetition, other: Repetition) -> bool:
    """Whether these are two of the models of one series, measured block beside block."""
    return base.series == other.series and base.blocks != other.blocks


def latency_ratio_of_rounds(base: Repetition, other: Repetition) -> Interval | None:
    """Seconds a call of other / base, from rounds in which neither was disturbed; at 95 %.

    Paired on the logarithm: whatever moves both blocks of a round alike (heat, clocks, neighbours,
    the state of their process) cancels. None where fewer than `FEWEST_ROUNDS` rounds are left.
    """
    first, second = _by_round(base), _by_round(other)
    rounds = sorted(first.keys() & second.keys())
    if len(rounds) < FEWEST_ROUNDS:
        return None
    logs = [math.log(second[key].latency_s / first[key].latency_s) for key in rounds]
    log_ratio = process_interval(logs, [first[key].process for key in rounds])
    return Interval(*(math.exp(min(end, 700.0)) for end in log_ratio))


def _by_round(repetition: Repetition) -> dict[int, Block]:
    return {
        block.round: block
        for block in repetition.blocks
        if not block.is_disturbed and block.duration_s > 0
    }
