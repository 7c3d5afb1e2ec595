"""The measuring protocol, step by step: idle, warm-up, timed blocks, idle. Knows no torch.

Time, sensors and the work itself are handed in, so that a test can run a whole measurement on a
virtual clock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from profiler.inference.call_cost import CallCost, TimedRun, cost_per_call
from profiler.meters.clock import Clock
from profiler.recording.recorder import Recorder
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import Finding, never_steady, stopped_by_budget
from profiler.values.statistics import effective_count, has_trend, mean_interval, median_interval
from profiler.values.trace import Trace, Window

IDLE_NAME = "idle"
WARM_UP_NAME = "warm-up"
BLOCK_NAME = "block"
BETWEEN_BLOCKS = "measuring"

IDLE_SHARE, LONGEST_IDLE_S = 0.06, 2.0
WARM_UP_SHARE, SHORTEST_WARM_UP_S = 0.25, 0.5
WARM_UP_CHUNK_S, TREND_CHUNKS = 0.03, 12
BLOCK_SHARE, LONGEST_BLOCK_S, SHORTEST_BLOCK_S = 0.04, 1.0, 0.05
FEWEST_BLOCKS = 6
LONGEST_PAUSE_S = 0.1
ENERGY_CHECK_SHARE = 0.1

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How long, and how exact.

    Args:
        precision: relative half width of the 95 % intervals at which measuring stops.
        max_seconds: budget for everything, idle spans and warm-up included.
        seed: of the random pauses between blocks.
    """

    precision: float = 0.02
    max_seconds: float = 30.0
    seed: int = 0

    @property
    def idle_s(self) -> float:
        """Length of each of the two idle spans."""
        return min(LONGEST_IDLE_S, IDLE_SHARE * self.max_seconds)

    @property
    def block_s(self) -> float:
        """Length of a timed block, several periods of a 100 ms counter where time allows."""
        return min(LONGEST_BLOCK_S, max(SHORTEST_BLOCK_S, BLOCK_SHARE * self.max_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolResult:
    """What the protocol saw.

    Args:
        latency_s: median over the blocks of the mean seconds of a call.
        blocks: timed windows with their counts of calls.
        idles: idle windows, before and after.
        stopped_by: "precision" or "budget".
        findings: about warm-up and precision.
    """

    latency_s: Estimate
    blocks: tuple[Window, ...]
    idles: tuple[Window, ...]
    stopped_by: str
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class MeasuringProtocol:
    """One run of the protocol.

    Args:
        call: makes one call without waiting for the device.
        synchronize: waits for the device.
        recorder: records meanwhile; started by the caller.
        sleep: spends time idle.
        choose: picks the traces that the stopping rule looks at.
        progress: told the stage and the share of the budget that is spent.
    """

    call: Callable[[], None]
    synchronize: Callable[[], None]
    recorder: Recorder
    clock: Clock
    sleep: Callable[[float], None]
    protocol: Protocol
    choose: Callable[[Sequence[Trace]], Sequence[Trace]]
    progress: Progress
    _findings: list[Finding] = field(default_factory=list)
    _start_s: float = 0.0

    def run(self) -> ProtocolResult:
        """Measure until the intervals are as narrow as asked, or the budget ends."""
        self._start_s = self.clock.now_s()
        self._idle()
        latency_s = self._warm_up()
        stopped_by = self._blocks(latency_s)
        self._idle()
        windows = self.recorder.windows()
        return ProtocolResult(
            latency_s=block_latency(_named(windows, BLOCK_NAME)),
            blocks=_named(windows, BLOCK_NAME),
            idles=_named(windows, IDLE_NAME),
            stopped_by=stopped_by,
            findings=tuple(self._findings),
        )

    def _idle(self) -> None:
        self._tell("idle")
        self.synchronize()
        with self.recorder.window(IDLE_NAME):
            self.sleep(self.protocol.idle_s)

    def _timed(self, call_count: int) -> float:
        """Seconds per call of one stretch of calls, the device synchronised at both ends."""
        self.synchronize()
        start_s = self.clock.now_s()
        for _ in range(call_count):
            self.call()
        self.synchronize()
        return (self.clock.now_s() - start_s) / call_count

    def _warm_up(self) -> float:
        """Call until latency shows no trend; returns seconds per call."""
        self._tell("warm-up")
        begun_s = self.clock.now_s()
        end_s = begun_s + WARM_UP_SHARE * self.protocol.max_seconds
        shortest_s = min(SHORTEST_WARM_UP_S, WARM_UP_SHARE * self.protocol.max_seconds / 2)
        latencies_s = [self._timed(1)]
        with self.recorder.window(WARM_UP_NAME):
            while True:
                latencies_s.append(self._timed(_calls_in(WARM_UP_CHUNK_S, latencies_s[-1])))
                now_s = self.clock.now_s()
                recent = latencies_s[-TREND_CHUNKS:]
                settled = len(recent) == TREND_CHUNKS and not has_trend(recent)
                if settled and now_s - begun_s >= shortest_s:
                    break
                if now_s + latencies_s[-1] > end_s:
                    # A model with few calls in its budget is past its first, slow one: no finding.
                    if len(recent) == TREND_CHUNKS:
                        self._findings.append(never_steady(now_s - begun_s))
                    break
        return sorted(recent)[len(recent) // 2]

    def _blocks(self, latency_s: float) -> str:
        protocol = self.protocol
        end_s = self._start_s + protocol.max_seconds - protocol.idle_s
        generator = random.Random(protocol.seed)
        checked_s = self.clock.now_s()
        while True:
            self._tell(BETWEEN_BLOCKS)
            self.sleep(generator.uniform(0.0, min(LONGEST_PAUSE_S, protocol.block_s / 4)))
            begun_s = self.clock.now_s()
            call_count = _calls_in(protocol.block_s, latency_s)
            self._block(call_count)
            now_s = self.clock.now_s()
            # Where the machine has slowed down, later blocks are as long as planned all the same.
            latency_s = (latency_s + (now_s - begun_s) / call_count) / 2
            blocks = _named(self.recorder.windows(), BLOCK_NAME)
            out_of_time = now_s + (now_s - begun_s) > end_s
            due = now_s - checked_s > ENERGY_CHECK_SHARE * protocol.max_seconds
            if len(blocks) >= FEWEST_BLOCKS and self._latency_reached(blocks) and due:
                checked_s = now_s
                if self._energy_reached(blocks):
                    return "precision"
            if out_of_time and len(blocks) >= 2:
                self._say_what_was_reached(blocks)
                return "budget"

    def _block(self, call_count: int) -> None:
        self.synchronize()
        self.recorder.begin(BLOCK_NAME)
        for _ in range(call_count):
            self.call()
        self.synchronize()
        self.recorder.end(BLOCK_NAME, iteration_count=call_count)

    def _latency_reached(self, blocks: Sequence[Window]) -> bool:
        return _within(block_latency(blocks), self.protocol.precision)

    def _energy_reached(self, blocks: Sequence[Window]) -> bool:
        cost = self._cost(blocks)
        return cost.energy_j is None or _within(cost.energy_j, self.protocol.precision)

    def _cost(self, blocks: Sequence[Window]) -> CallCost:
        windows = self.recorder.windows()
        run = TimedRun(blocks=tuple(blocks), idles=(), windows=windows, now_s=self.clock.now_s())
        return cost_per_call(self.choose(self.recorder.traces()), run)

    def _say_what_was_reached(self, blocks: Sequence[Window]) -> None:
        spent_s = self.clock.now_s() - self._start_s
        energy_j = self._cost(blocks).energy_j
        for name, estimate in (("latency", block_latency(blocks)), ("energy", energy_j)):
            if estimate is not None and not _within(estimate, self.protocol.precision):
                reached = estimate.relative_half_width
                self._findings.append(
                    stopped_by_budget(name, reached, self.protocol.precision, spent_s)
                )

    def _tell(self, stage: str) -> None:
        spent_s = self.clock.now_s() - self._start_s
        self.progress(stage, min(1.0, spent_s / self.protocol.max_seconds))


def block_latency(blocks: Sequence[Window]) -> Estimate:
    """Seconds per call, the median over blocks: robust against one that something else disturbed.

    The interval of the median is widened where blocks resemble their neighbours. Fewer than
    `FEWEST_BLOCKS` cannot bound a median with 95 % confidence: their mean is taken, with the
    interval of Student's t.
    """
    values_s = [
        block.duration_s / block.iteration_count
        for block in blocks
        if block.duration_s is not None and block.iteration_count
    ]
    count = len(values_s)
    if count < FEWEST_BLOCKS:
        name, (point_s, low_s, high_s) = "mean", mean_interval(values_s)
        inflation = 1.0
    else:
        name, (point_s, low_s, high_s) = "median", median_interval(values_s)
        inflation = math.sqrt(count / effective_count(values_s))
    has_interval = math.isfinite(high_s)
    return Estimate(
        point=point_s,
        low=max(0.0, point_s - inflation * (point_s - low_s)) if has_interval else None,
        high=point_s + inflation * (high_s - point_s) if has_interval else None,
        unit="s",
        confidence=0.95 if has_interval else None,
        basis=Basis.MEASURED,
        source=f"monotonic clock, {name} of {count} synchronised blocks",
    )


def _named(windows: Sequence[Window], name: str) -> tuple[Window, ...]:
    return tuple(window for window in windows if window.name == name and window.end_s is not None)


def _calls_in(seconds: float, latency_s: float) -> int:
    return max(1, min(1_000_000, round(seconds / max(latency_s, 1e-7))))


def _within(estimate: Estimate, precision: float) -> bool:
    reached = estimate.relative_half_width
    return reached is not None and reached <= precision
