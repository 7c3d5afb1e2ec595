"""Two models measured in turns: what their rounds say about a ratio."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from .repetition import Block, Repetition
from .statistics import (
    Interval,
    block_interval,
    mean_interval,
    process_interval,
    trimmed_interval,
)

FEWEST_ROUNDS = 4
HINT, PROOF = 0.8, 0.999
"""Confidences with which slow calls are one model's own: in the interval from the one, the only
thing in it from the other."""


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
    quick = _of_quick_turns(_turn_pairs(base, other))
    logs, processes = _of_blocks(base, other)
    blocks = _interval(logs, processes, block_interval) if logs else None
    if quick is None or blocks is None:
        return quick or blocks
    if quick.low <= blocks.high and blocks.low <= quick.high:
        return quick
    return _joined(quick, blocks)


def _interval(
    logs: Sequence[float],
    processes: Sequence[int],
    of_process: Callable[[Sequence[float]], Interval],
) -> Interval:
    log_ratio = process_interval(logs, processes, of_process)
    return Interval(*(math.exp(min(end, 700.0)) for end in log_ratio))


Values = tuple[list[float], list[int]]
"""Logarithms of ratios, and the process of each."""

Pairs = dict[int, list[tuple[float, float]]]
"""Seconds a call of base and other in each two turns of opposite order, by process."""


def _of_quick_turns(pairs: Pairs) -> Interval | None:
    """The middle of the ratios of turns, unless the seconds of all calls say otherwise.

    What stalls the machine strikes both models alike and is best left out. A call of one model that
    is slow now and then is work of its own: then all its seconds over all those of the other is
    wider and right. Two such calls are a hint, with which the interval holds both.
    """
    if sum(map(len, pairs.values())) < FEWEST_ROUNDS:
        return None
    logs = {process: [_log_ratio(*pair) for pair in some] for process, some in pairs.items()}
    shares = {process: _of_all_calls(some) for process, some in pairs.items()}
    centres = {process: trimmed_interval(values).point for process, values in logs.items()}
    tails = [value - centres[process] for process, some in shares.items() for value in some]
    middle = _interval(*_flat(logs), trimmed_interval)
    if _holds_zero(mean_interval(tails, HINT)):
        return middle
    whole = _interval(*_flat(shares), mean_interval)
    return _joined(whole, middle) if _holds_zero(mean_interval(tails, PROOF)) else whole


def _holds_zero(interval: Interval) -> bool:
    return interval.low <= 0 <= interval.high


def _joined(interval: Interval, other: Interval) -> Interval:
    """The point of the first, with ends that hold both."""
    low, high = min(interval.low, other.low), max(interval.high, other.high)
    return Interval(interval.point, low, high)


def _of_all_calls(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Values whose mean is the logarithm of all seconds of other / base, and whose spread is its.

    A ratio of two sums, linear in what each pair adds to it (Cochran, Sampling Techniques, 3rd ed.,
    1977, section 2.11).
    """
    base_s, other_s = (math.fsum(side) / len(pairs) for side in zip(*pairs, strict=True))
    log_ratio = _log_ratio(base_s, other_s)
    return [log_ratio + other / other_s - base / base_s for base, other in pairs]


def _flat(groups: dict[int, list[float]]) -> Values:
    return (
        [value for values in groups.values() for value in values],
        [process for process, values in groups.items() for _ in values],
    )


def _turn_pairs(base: Repetition, other: Repetition) -> Pairs:
    """Means over two turns, which a steady drift does not move."""
    beside = {turns.round: turns for turns in other.turns if not turns.is_disturbed}
    pairs: Pairs = {}
    for turns in base.turns:
        if turns.is_disturbed or turns.round not in beside:
            continue
        there_and_back = zip(
            _two_by_two(turns.latencies_s),
            _two_by_two(beside[turns.round].latencies_s),
            strict=False,
        )
        pairs.setdefault(turns.process, []).extend(there_and_back)
    return pairs


def _two_by_two(latencies_s: Sequence[float]) -> list[float]:
    """Mean of each two that follow each other."""
    return [(one + two) / 2 for one, two in zip(latencies_s[::2], latencies_s[1::2], strict=False)]


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
