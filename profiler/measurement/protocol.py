"""The measuring protocol: idle, warm-up, blocks in turns, idle. Knows no torch.

Time, sensors and the work itself are handed in, so that a test can run a whole measurement on a
virtual clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from profiler.meters.clock import Clock
from profiler.recording.recorder import Recorder
from profiler.values.findings import Finding, never_steady
from profiler.values.repetition import Block, Turns
from profiler.values.repetition_findings import one_slow_process
from profiler.values.statistics import has_trend
from profiler.values.trace import Trace, Window

from .disturbance import marked
from .runners import Runner, TimedSpan
from .so_far import SoFar
from .turns import marked_turns, take_turns, turns_in

BETWEEN_BLOCKS = "measuring"

IDLE_SHARE, LONGEST_IDLE_S = 0.06, 2.0
WARM_UP_SHARE, SHORTEST_WARM_UP_S = 0.25, 0.5
WARM_UP_CHUNK_S, TREND_CHUNKS = 0.03, 12
BLOCK_SHARE, LONGEST_BLOCK_S, SHORTEST_BLOCK_S = 0.04, 1.0, 0.05
BRIEF_BLOCK_SHARE, LONGEST_BRIEF_BLOCK_S = 0.008, 0.5
TURNS_OVER_BLOCK = 2.0
LEAD_SHARE = 0.1
FEWEST_BLOCKS = 6
LONGEST_PAUSE_S = 0.1
CHECK_SHARE, CHECK_COST_SHARE = 0.1, 0.15

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How long, and how exact.

    Args:
        precision: relative half width of the 95 % intervals at which measuring stops: of latency
            and joules of one model, or of their ratios where several are measured in turns.
        max_seconds: budget for everything, idle spans and warm-up included.
        seed: of the order of blocks, and of the random pauses between them.
        is_shared: whether others may take the device's CPUs: blocks are brief then, those that are
            disturbed are told from the others, and several models take quick turns besides.
    """

    precision: float = 0.02
    max_seconds: float = 30.0
    seed: int = 0
    is_shared: bool = False

    @property
    def idle_s(self) -> float:
        """Length of each of the two idle spans."""
        return min(LONGEST_IDLE_S, IDLE_SHARE * self.max_seconds)

    @property
    def block_s(self) -> float:
        """Length of a timed block, several periods of a 100 ms counter where time allows."""
        share, longest_s = (
            (BRIEF_BLOCK_SHARE, LONGEST_BRIEF_BLOCK_S)
            if self.is_shared
            else (BLOCK_SHARE, LONGEST_BLOCK_S)
        )
        return min(longest_s, max(SHORTEST_BLOCK_S, share * self.max_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolResult:
    """What the protocol saw.

    Args:
        spans: idle, warm-up and lead-in windows.
        blocks: of each model.
        turns: of each model; () of each where none were taken.
        stopped_by: "precision" or "budget".
        findings: about warm-up and precision.
    """

    spans: tuple[Window, ...]
    blocks: tuple[tuple[Block, ...], ...]
    turns: tuple[tuple[Turns, ...], ...]
    stopped_by: str
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class MeasuringProtocol:
    """One run of the protocol.

    Args:
        runners: the processes that make the calls; each has prepared every model.
        names: of the models to measure in turns.
        recorder: records meanwhile; started by the caller.
        sleep: spends time idle.
        choose: picks the traces that the stopping rule looks at.
        progress: told the stage and the share of the budget that is spent.
    """

    runners: Sequence[Runner]
    recorder: Recorder
    clock: Clock
    sleep: Callable[[float], None]
    protocol: Protocol
    choose: Callable[[Sequence[Trace]], Sequence[Trace]]
    progress: Progress
    names: Sequence[str] = ("",)
    _findings: list[Finding] = field(default_factory=list)
    _spans: list[Window] = field(default_factory=list)
    _blocks: list[list[Block]] = field(default_factory=list)
    _turns: list[tuple[Turns, ...]] = field(default_factory=list)
    _start_s: float = 0.0

    def run(self) -> ProtocolResult:
        """Measure until what is asked for is as narrow as asked, or the budget ends."""
        self._start_s = self.clock.now_s()
        self._blocks = [[] for _ in range(len(self.names))]
        self._idle()
        latencies_s = self._warm_up()
        stopped_by = self._rounds(latencies_s)
        self._idle()
        return ProtocolResult(
            spans=tuple(self._spans),
            blocks=self._marked(),
            turns=marked_turns(self._turns, len(self.names)),
            stopped_by=stopped_by,
            findings=tuple(self._findings),
        )

    def _idle(self) -> None:
        self._tell("idle")
        start_s = self.clock.now_s()
        with self.recorder.window("idle"):
            self.sleep(self.protocol.idle_s)
        self._span("idle", start_s, self.clock.now_s())

    def _span(self, name: str, start_s: float, end_s: float) -> None:
        self._spans.append(Window(name=name, start_s=start_s, end_s=end_s))

    def _warm_up(self) -> list[list[float]]:
        """Seconds per call of each model, by process."""
        self._tell("warm-up")
        count = len(self.runners) * len(self.names)
        latencies_s: list[list[float]] = []
        slowest_s = 0.0
        for number, runner in enumerate(self.runners):
            if number == 1 and self._too_slow_for_all(latencies_s[0]):
                break
            latencies_s.append([])
            for model in range(len(self.names)):
                begun_s = self.clock.now_s()
                latency_s, is_steady = self._settled(runner, model, count)
                latencies_s[-1].append(latency_s)
                spent_s = self.clock.now_s() - begun_s
                self._span("warm-up", begun_s, begun_s + spent_s)
                if not is_steady:
                    slowest_s = max(slowest_s, spent_s)
        if slowest_s:
            self._findings.append(never_steady(slowest_s))
        return latencies_s

    def _too_slow_for_all(self, latencies_s: list[float]) -> bool:
        """Leave the other processes out where the budget does not hold a block in each of them."""
        left_s = self.protocol.max_seconds - (self.clock.now_s() - self._start_s)
        asked, round_s = len(self.runners), sum(latencies_s)
        if 2 * round_s * (asked - 1) + round_s <= left_s:
            return False
        self.runners = self.runners[:1]
        self._findings.append(one_slow_process(asked, round_s, self.protocol.max_seconds))
        return True

    def _settled(self, runner: Runner, model: int, count: int) -> tuple[float, bool]:
        """Call until latency shows no trend; seconds per call, and whether it got there."""
        budget_s = WARM_UP_SHARE * self.protocol.max_seconds / count
        begun_s = self.clock.now_s()
        latencies_s = [_mean_s(runner.run(model, 1), 1)]
        if latencies_s[0] > budget_s:
            return latencies_s[0], True
        while True:
            call_count = _calls_in(WARM_UP_CHUNK_S, latencies_s[-1])
            latencies_s.append(_mean_s(runner.run(model, call_count), call_count))
            spent_s = self.clock.now_s() - begun_s
            recent = latencies_s[-TREND_CHUNKS:]
            is_full = len(recent) == TREND_CHUNKS
            latency_s = sorted(recent)[len(recent) // 2]
            is_steady = is_full and not has_trend(recent)
            if is_steady and spent_s >= min(SHORTEST_WARM_UP_S, budget_s / 2):
                return latency_s, True
            if spent_s + latencies_s[-1] > budget_s:
                # With few calls in its budget a model is past its first, slow one.
                return latency_s, not is_full or is_steady

    def _rounds(self, latencies_s: list[list[float]]) -> str:
        """Blocks of all models in random order, one process a round, until it is enough."""
        protocol, generator = self.protocol, random.Random(self.protocol.seed)
        end_s = self._start_s + protocol.max_seconds - protocol.idle_s
        checked_s, number, waiting = self.clock.now_s(), 0, list[int]()
        pause_s = CHECK_SHARE * protocol.max_seconds
        reverse: dict[int, list[int]] = {}
        while True:
            if not waiting:
                waiting = generator.sample(range(len(self.runners)), len(self.runners))
            begun_s = self.clock.now_s()
            process = waiting.pop()
            # A drift that favours one place in a round favours it the other way round in the next.
            order = reverse.pop(process, None)
            if order is None:
                order = generator.sample(range(len(self.names)), len(self.names))
                reverse[process] = order[::-1]
            for model in order:
                self._tell(BETWEEN_BLOCKS)
                self.sleep(generator.uniform(0.0, min(LONGEST_PAUSE_S, protocol.block_s / 4)))
                block = self._block(process, model, number, latencies_s[process][model])
                # Where the machine slows down, later blocks are as long as planned all the same.
                latencies_s[process][model] = (latencies_s[process][model] + block.latency_s) / 2
            if protocol.is_shared and len(self.names) > 1:
                self._take_turns(process, number, latencies_s[process], generator)
            number += 1
            now_s = self.clock.now_s()
            if now_s - checked_s > pause_s and self._has_enough():
                if self._so_far().is_precise(protocol.precision):
                    return "precision"
                checked_s = self.clock.now_s()
                # Inferring joules takes a while, in which nothing is measured.
                pause_s = max(pause_s, (checked_s - now_s) / CHECK_COST_SHARE)
            if now_s + (now_s - begun_s) > end_s and number >= max(2, len(self.runners)):
                spent_s = self.clock.now_s() - self._start_s
                self._findings += self._so_far().shortfalls(protocol.precision, spent_s)
                return "budget"

    def _take_turns(
        self, process: int, number: int, latencies_s: list[float], generator: random.Random
    ) -> None:
        seconds = TURNS_OVER_BLOCK * self.protocol.block_s * len(self.names)
        if turns_in(seconds, latencies_s):
            runner = self.runners[process]
            with self.recorder.window("turns"):
                turns = take_turns(runner, process, number, latencies_s, seconds, generator)
            self._turns.append(turns)
            self._span("turns", turns[0].start_s, turns[0].end_s)

    def _block(self, process: int, model: int, number: int, latency_s: float) -> Block:
        block_s = self.protocol.block_s
        call_count = _calls_in(block_s, latency_s)
        lead_count = _calls_in(LEAD_SHARE * block_s, latency_s) if latency_s < block_s / 2 else 0
        with self.recorder.window(f"block {model}"):
            span = self.runners[process].run(model, call_count, lead_count)
        if lead_count:
            self._span(f"lead-in {model}", span.lead_start_s, span.start_s)
        block = Block(
            process=process,
            round=number,
            start_s=span.start_s,
            end_s=span.end_s,
            call_count=call_count,
            account=span.account,
        )
        self._blocks[model].append(block)
        return block

    def _has_enough(self) -> bool:
        least = max(FEWEST_BLOCKS, 2 * len(self.runners))
        return all(
            sum(not block.is_disturbed for block in blocks) >= least for blocks in self._marked()
        )

    def _marked(self) -> tuple[tuple[Block, ...], ...]:
        if not self.protocol.is_shared:
            return tuple(map(tuple, self._blocks))
        return tuple(marked(blocks) for blocks in self._blocks)

    def _so_far(self) -> SoFar:
        return SoFar(
            names=self.names,
            blocks=self._marked(),
            turns=marked_turns(self._turns, len(self.names)),
            spans=tuple(self._spans),
            traces=tuple(self.choose(self.recorder.traces())),
            now_s=self.clock.now_s(),
        )

    def _tell(self, stage: str) -> None:
        spent_s = self.clock.now_s() - self._start_s
        self.progress(stage, min(1.0, spent_s / self.protocol.max_seconds))


def _mean_s(span: TimedSpan, call_count: int) -> float:
    return (span.end_s - span.start_s) / call_count


def _calls_in(seconds: float, latency_s: float) -> int:
    return max(1, min(1_000_000, round(seconds / max(latency_s, 1e-7))))
