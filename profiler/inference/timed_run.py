"""The windows of one measurement, and the seconds of a call that follow from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from profiler.values.estimate import Basis, Estimate
from profiler.values.statistics import FEWEST_FOR_MEDIAN, Interval, mean_interval, process_interval
from profiler.values.trace import Window

MOST_STRETCHES = 12


@dataclass(frozen=True, slots=True)
class BlockGroup:
    """Blocks of one process that followed each other."""

    blocks: tuple[Window, ...]
    process: int

    @property
    def call_count(self) -> int:
        """Calls in these blocks."""
        return sum(block.iteration_count or 0 for block in self.blocks)

    @property
    def duration_s(self) -> float:
        """Length of these blocks together."""
        return math.fsum(block.duration_s or 0.0 for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRun:
    """The windows of one measurement: blocks of calls, and idle spans around them.

    Args:
        blocks: timed, each with its count of calls.
        idles: before and after.
        windows: everything that the recording knows of.
        now_s: its last instant.
        processes: the process of each block; () where one ran all of them.
        is_pooled: joules of a call are those of all blocks over all calls, as runs state them that
            were stored before blocks had a process.
    """

    blocks: tuple[Window, ...]
    idles: tuple[Window, ...]
    windows: tuple[Window, ...]
    now_s: float
    processes: tuple[int, ...] = ()
    is_pooled: bool = False

    @property
    def duration_s(self) -> float:
        """Length of all blocks together."""
        return math.fsum(block.duration_s or 0.0 for block in self.blocks)

    def stretches(self) -> list[BlockGroup]:
        """The blocks cut into about `MOST_STRETCHES`, each of one process, in order of time.

        Joules are inferred for each, which costs the more the more there are.
        """
        if self.is_pooled:
            return [BlockGroup((block,), 0) for block in self.blocks]
        groups: dict[int, list[Window]] = {}
        processes = self.processes or (0,) * len(self.blocks)
        for block, process in zip(self.blocks, processes, strict=True):
            groups.setdefault(process, []).append(block)
        stretches = []
        for process, blocks in groups.items():
            count = min(len(blocks), max(2, MOST_STRETCHES // len(groups)))
            edges = [len(blocks) * k // count for k in range(count + 1)]
            stretches += [BlockGroup(tuple(blocks[a:b]), process) for a, b in pairwise(edges)]
        return sorted(stretches, key=lambda stretch: stretch.blocks[0].start_s)

    @property
    def call_s(self) -> Interval | None:
        """Seconds of a call."""
        if self.is_pooled:
            call_count = sum(block.iteration_count or 0 for block in self.blocks)
            mean_s = over(self.duration_s, call_count)
            return None if mean_s is None else Interval(mean_s, mean_s, mean_s)
        processes = self.processes or (0,) * len(self.blocks)
        blocks = [BlockGroup((b,), p) for b, p in zip(self.blocks, processes, strict=True)]
        return self.repeated([over(item.duration_s, item.call_count) for item in blocks], blocks)

    def repeated(
        self, values: Sequence[float | None], stretches: Sequence[BlockGroup]
    ) -> Interval | None:
        """Centre and interval of one value a stretch; None where no stretch has one."""
        seen = [
            (value, stretch.process)
            for value, stretch in zip(values, stretches, strict=True)
            if value is not None
        ]
        if not seen:
            return None
        numbers = [value for value, _ in seen]
        if self.is_pooled:
            return mean_interval(numbers)
        return process_interval(numbers, [process for _, process in seen])


def over(value: float, count: float) -> float | None:
    """A quotient of two positive numbers; None where one of them is not."""
    return value / count if value > 0 and count > 0 else None


def block_latency(run: TimedRun) -> Estimate | None:
    """Seconds per call: median over the blocks of a process, mean over processes.

    None where no block was closed.
    """
    call_s = run.call_s
    if call_s is None:
        return None
    has_interval = math.isfinite(call_s.high)
    count, process_count = len(run.blocks), len(set(run.processes)) or 1
    name = "mean" if count < FEWEST_FOR_MEDIAN * process_count else "median"
    among = f" of {process_count} processes" if process_count > 1 else ""
    return Estimate(
        point=call_s.point,
        low=max(0.0, call_s.low) if has_interval else None,
        high=call_s.high if has_interval else None,
        unit="s",
        confidence=0.95 if has_interval else None,
        basis=Basis.MEASURED,
        source=f"monotonic clock, {name} of {count} synchronised blocks{among}",
    )
