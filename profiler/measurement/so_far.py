"""What the blocks of a measurement say by now, of each model and of their ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from profiler.inference.call_cost import cost_per_call
from profiler.inference.timed_run import TimedRun, block_latency
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.repetition import Block, Repetition, Turns
from profiler.values.repetition_findings import budget_ended
from profiler.values.rounds import latency_ratio_of_rounds
from profiler.values.trace import Trace, Window

BLOCK_NAME, IDLE_NAME = "block", "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """Blocks, spans and traces of a measurement that may still be going on.

    Args:
        names: of the models; the first is what the others are compared with.
        blocks: of each model, the disturbed ones marked.
        turns: of each model, the same.
        spans: idle, warm-up and lead-in windows.
        traces: of the device.
        now_s: the last instant that is known.
    """

    names: Sequence[str]
    blocks: Sequence[Sequence[Block]]
    turns: Sequence[Sequence[Turns]]
    spans: tuple[Window, ...]
    traces: tuple[Trace, ...]
    now_s: float

    def is_precise(self, precision: float) -> bool:
        """Whether everything that is asked for is known as well as asked."""
        for reached in (self._latencies(), self._energies()):  # seconds are the cheaper to know
            if any(half is None or half > precision for half in reached.values()):
                return False
        return True

    def shortfalls(self, precision: float, spent_s: float) -> list[Finding]:
        """What is not known as well as asked, in one finding."""
        wide = {
            name: reached
            for name, reached in (self._latencies() | self._energies()).items()
            if reached is None or reached > precision
        }
        return [budget_ended(wide, precision, spent_s)] if wide else []

    def _latencies(self) -> dict[str, float | None]:
        """Relative half width of one model's latency, or of the ratios to the first model's."""
        if len(self.blocks) == 1:
            return {"latency": _relative(block_latency(self.run(0)))}
        reached = {}
        for other in range(1, len(self.blocks)):
            ratio = latency_ratio_of_rounds(self.repetition(0), self.repetition(other))
            half = None if ratio is None else (ratio.high - ratio.low) / 2 / ratio.point
            reached[f"the ratio of latencies {self._pair(other)}"] = half
        return reached

    def _energies(self) -> dict[str, float | None]:
        """The same of joules; empty where no sensor sees them."""
        costs = [cost_per_call(self.traces, self.run(k)) for k in range(len(self.blocks))]
        if any(cost.energy_j is None for cost in costs):
            return {}
        if len(costs) == 1:
            return {"energy": _relative(costs[0].energy_j)}
        powers = [_relative(cost.power_w) for cost in costs]
        reached: dict[str, float | None] = {}
        for other, half in enumerate(self._latencies().values(), start=1):
            sides = [half, powers[0], powers[other]]
            known = [side for side in sides if side is not None]
            whole = math.hypot(*known) if len(known) == len(sides) else None
            reached[f"the ratio of energies {self._pair(other)}"] = whole
        return reached

    def _pair(self, other: int) -> str:
        return f"of {self.names[other]} to {self.names[0]}"

    def repetition(self, model: int) -> Repetition:
        """The blocks and the turns of one model."""
        blocks = tuple(self.blocks[model])
        processes = {block.process for block in blocks}
        return Repetition(
            series="",
            process_count=len(processes),
            is_fresh=False,
            blocks=blocks,
            turns=tuple(self.turns[model]),
        )

    def run(self, model: int) -> TimedRun:
        """The windows as the profile of one model tells them, its counted blocks timed."""
        return timed_run_of(self.blocks, self.spans, model, self.now_s)


def timed_run_of(
    blocks: Sequence[Sequence[Block]], spans: Sequence[Window], model: int, now_s: float
) -> TimedRun:
    """The windows of one model among those of all that were measured in turns.

    Args:
        blocks: of each model.
        spans: idle, warm-up and lead-in windows.
        model: whose calls are counted.
        now_s: the last instant that is known.
    """
    own = Repetition(series="", process_count=1, is_fresh=False, blocks=tuple(blocks[model]))
    chosen = {block.start_s for block in own.counted}
    windows = list(spans)
    timed = []
    for number, group in enumerate(blocks):
        for block in group:
            is_timed = number == model and block.start_s in chosen
            name = BLOCK_NAME if is_timed else f"block of model {number + 1}, not counted"
            window = Window(
                name=name,
                start_s=block.start_s,
                end_s=block.end_s,
                iteration_count=block.call_count if is_timed else None,
            )
            windows.append(window)
            if is_timed:
                timed.append((window, block.process))
    windows.sort(key=lambda window: window.start_s)
    return TimedRun(
        blocks=tuple(window for window, _ in timed),
        idles=tuple(window for window in windows if window.name == IDLE_NAME),
        windows=tuple(windows),
        now_s=now_s,
        processes=tuple(process for _, process in timed),
    )


def _relative(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.relative_half_width
