"""Two models measured in turns: what their rounds say about a ratio."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from .repetition import Block, Repetition
from .statistics import Interval, block_interval, process_interval, trimmed_interval

FEWEST_ROUNDS = 4


def in_turns(base: Repetition, other: Repetition) -> bool:
    """Whether these are two of the models of one series, measured block beside block."""
    return base.series == other.series and base.blocks != other.blocks


def latency_ratio_of_rounds(base: Repetition, other: Repetition) -> Interval | None:
    """Seconds a call of other / base, from rounds in which neither was disturbed; at 95 %.

    Paired on the logarithm: whatever moves both models of a turn alike (heat, clocks, neighbours,
    the state of their process) cancels. Every second turn of a process runs in the reverse order of
    the one before it; the two count as one value, so that a steady drift cancels as well.

    Quick turns are narrower than blocks, for little changes within one; but what comes once in a
    hundred calls is in every block and in few turns. Where the two contradict each other, the
    interval holds both. None where fewer than `FEWEST_ROUNDS` rounds are left.
    """
    quick = _interval(*_of_turns(base, other), trimmed_interval)
    blocks = _interval(*_of_blocks(base, other), block_interval)
    if quick is None or blocks is None:
        return quick or blocks
    if quick.low <= blocks.high and blocks.low <= quick.high:
        return quick
    return Interval(quick.point, min(quick.low, blocks.low), max(quick.high, blocks.high))


def _interval(
    logs: Sequence[float],
    processes: Sequence[int],
    of_process: Callable[[Sequence[float]], Interval],
) -> Interval | None:
    if not logs:
        return None
    log_ratio = process_interval(logs, processes, of_process)
    return Interval(*(math.exp(min(end, 700.0)) for end in log_ratio))


Values = tuple[list[float], list[int]]
"""Logarithms of ratios, and the process of each."""


def _of_turns(base: Repetition, other: Repetition) -> Values:
    """A value for each two turns of opposite order."""
    beside = {turns.round: turns for turns in other.turns if not turns.is_disturbed}
    values, processes = list[float](), list[int]()
    for turns in base.turns:
        if turns.is_disturbed or turns.round not in beside:
            continue
        logs = list(map(_log_ratio, turns.latencies_s, beside[turns.round].latencies_s))
        pairs = [(first + second) / 2 for first, second in zip(logs[::2], logs[1::2], strict=False)]
        values += pairs
        processes += [turns.process] * len(pairs)
    return (values, processes) if len(values) >= FEWEST_ROUNDS else ([], [])


def _of_blocks(base: Repetition, other: Repetition) -> Values:
    """A value for each two rounds of opposite order."""
    first, second = _by_round(base), _by_round(other)
    logs: dict[tuple[int, int], list[float]] = {}
    seen: Counter[int] = Counter()
    for block in base.blocks:
        key = block.process, seen[block.process] // 2
        seen[block.process] += 1
        if block.round in first and block.round in second:
            log = _log_ratio(first[block.round].latency_s, second[block.round].latency_s)
            logs.setdefault(key, []).append(log)
    if sum(map(len, logs.values())) < FEWEST_ROUNDS:
        return [], []
    return [math.fsum(pair) / len(pair) for pair in logs.values()], [p for p, _ in logs]


def _log_ratio(base_s: float, other_s: float) -> float:
    return math.log(other_s / base_s)


def _by_round(repetition: Repetition) -> dict[int, Block]:
    return {
        block.round: block
        for block in repetition.blocks
        if not block.is_disturbed and block.duration_s > 0
    }
