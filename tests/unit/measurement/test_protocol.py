"""A whole measurement on a virtual clock: no torch, no waiting, the truth known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.inference.call_cost import cost_per_call
from profiler.inference.timed_run import TimedRun, block_latency
from profiler.machine.cpu_account import CpuAccountant
from profiler.measurement.protocol import MeasuringProtocol, Protocol, ProtocolResult
from profiler.measurement.runners import LocalRunner
from profiler.measurement.so_far import timed_run_of
from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.recorder import Recorder
from profiler.values.estimate import Estimate
from profiler.values.repetition import Repetition
from profiler.values.rounds import latency_ratio_of_rounds
from profiler.values.trace import Window
from tests.virtual.clock import FakeClock
from tests.virtual.recording import VirtualRecorder

IDLE_W, BUSY_W = 80.0, 330.0
SILENT_KERNEL = CpuAccountant(Path("/nowhere"), Path("/nowhere"))


class Bench:
    """A model that takes `call_s(n)` for its n-th call, on a device that draws power meanwhile."""

    def __init__(self, call_s: Callable[[int], float], **protocol: float) -> None:
        self.clock, ahead = FakeClock(), FakeClock()
        self.busy_until_s = 0.0
        self.power_w: list[tuple[float, float]] = [(self.clock.now_s(), IDLE_W)]
        meter = SyntheticMeter([(1.0, 1.0)], phase_s=0.037, clock=ahead)
        meter._truth = self  # type: ignore[assignment]  # the bench is the device
        self.start_s = ahead.now_s()
        self.recorder = VirtualRecorder(
            [(meter, meter.open())], clock=self.clock, sensor_clock=ahead
        )
        self.call_s, self.call_count = call_s, 0
        self.stages: list[tuple[str, float]] = []
        self.experiment = MeasuringProtocol(
            runners=[LocalRunner([self.call], lambda: None, self.clock, SILENT_KERNEL)],
            recorder=self.recorder,
            clock=self.clock,
            sleep=self.recorder.pass_time,
            protocol=Protocol(**protocol),
            choose=lambda traces: traces,
            progress=lambda stage, share: self.stages.append((stage, share)),
        )

    def run(self) -> ProtocolResult:
        self.recorder.start()
        outcome = self.experiment.run()
        self.recorder.stop()
        return outcome

    def cost_run(self, outcome: ProtocolResult) -> TimedRun:
        return timed_run_of(outcome.blocks, outcome.spans, 0, self.recorder.now_s)

    def call(self) -> None:
        self._draw(BUSY_W)
        self.recorder.pass_time(self.call_s(self.call_count))
        self.call_count += 1
        self._draw(IDLE_W)

    def _draw(self, power_w: float) -> None:
        now_s = self.clock.now_s()
        self.power_w.append((now_s, power_w))

    def energy_j(self, elapsed_s: float) -> float:
        until_s, total_j = self.start_s + elapsed_s, 0.0
        for (start_s, watts), (end_s, _) in zip(
            self.power_w, [*self.power_w[1:], (until_s, 0.0)], strict=True
        ):
            total_j += max(0.0, min(end_s, until_s) - start_s) * watts
        return total_j


def test_a_steady_model_stops_at_the_precision_asked_for() -> None:
    bench = Bench(lambda n: 0.02, max_seconds=20.0, precision=0.02)
    outcome = bench.run()
    assert outcome.stopped_by == "precision"
    assert outcome.findings == ()
    run = bench.cost_run(outcome)
    latency_s = block_latency(run)
    assert latency_s is not None
    assert latency_s.point == pytest.approx(0.02, rel=1e-6)
    cost = cost_per_call(bench.recorder.traces(), run)
    assert cost.energy_j is not None
    assert cost.net_energy_j is not None
    assert cost.energy_j.point == pytest.approx(0.02 * BUSY_W, rel=3e-3)
    assert cost.net_energy_j.point == pytest.approx(0.02 * (BUSY_W - IDLE_W), rel=1e-2)
    assert cost.energy_j.low is not None
    assert cost.energy_j.high is not None
    # Under the stillness of a virtual device the interval shrinks to millionths.
    assert cost.energy_j.low * (1 - 1e-5) <= 0.02 * BUSY_W <= cost.energy_j.high * (1 + 1e-5)


def test_idle_is_measured_before_and_after() -> None:
    bench = Bench(lambda n: 0.05, max_seconds=10.0)
    outcome = bench.run()
    first, second = (span for span in outcome.spans if span.name == "idle")
    assert first.end_s is not None
    assert first.end_s <= outcome.blocks[0][0].start_s
    assert second.start_s >= outcome.blocks[0][-1].end_s


def test_slow_first_calls_stay_out_of_the_blocks() -> None:
    bench = Bench(lambda n: 0.3 if n < 3 else 0.02, max_seconds=20.0)
    outcome = bench.run()
    assert all(block.latency_s == pytest.approx(0.02, rel=1e-6) for block in outcome.blocks[0])


def test_a_model_that_never_settles_ends_with_the_budget_and_says_so() -> None:
    bench = Bench(lambda n: 0.02 * 1.002**n, max_seconds=10.0, precision=0.001)
    outcome = bench.run()
    assert outcome.stopped_by == "budget"
    kinds = {finding.kind for finding in outcome.findings}
    assert kinds == {"not-steady", "budget-ended"}


@pytest.mark.parametrize("max_seconds", [0.2, 2.0, 8.0])
def test_the_budget_holds(max_seconds: float) -> None:
    bench = Bench(lambda n: 0.01 + 0.004 * (n % 7), max_seconds=max_seconds, precision=1e-6)
    start_s = bench.clock.now_s()
    outcome = bench.run()
    assert bench.clock.now_s() - start_s <= max_seconds + 1.0
    assert len(outcome.blocks[0]) >= 2


def test_a_call_longer_than_the_budget_is_still_measured_twice() -> None:
    outcome = Bench(lambda n: 7.0, max_seconds=5.0).run()
    assert [block.latency_s for block in outcome.blocks[0]] == pytest.approx([7.0, 7.0])


def test_without_a_sensor_latency_alone_decides() -> None:
    clock = FakeClock()
    recorder = Recorder([], clock=clock).start()
    outcome = MeasuringProtocol(
        runners=[LocalRunner([lambda: clock.advance(0.01)], lambda: None, clock, SILENT_KERNEL)],
        recorder=recorder, clock=clock, sleep=clock.sleep, protocol=Protocol(max_seconds=10.0),
        choose=lambda traces: traces, progress=lambda stage, share: None,
    ).run()  # fmt: skip
    assert outcome.stopped_by == "precision"


def test_progress_rises_and_names_its_stages() -> None:
    bench = Bench(lambda n: 0.02, max_seconds=5.0)
    bench.run()
    shares = [share for _, share in bench.stages]
    assert shares == sorted(shares)
    assert {stage for stage, _ in bench.stages} == {"idle", "warm-up", "measuring"}


def blocks_of(latencies_s: list[float], processes: tuple[int, ...] = ()) -> TimedRun:
    blocks = tuple(
        Window(name="block", start_s=10.0 * k, end_s=10.0 * k + 10 * value, iteration_count=10)
        for k, value in enumerate(latencies_s)
    )
    return TimedRun(blocks=blocks, idles=(), windows=blocks, now_s=1e3, processes=processes)


def latency_of(latencies_s: list[float], processes: tuple[int, ...] = ()) -> Estimate:
    latency = block_latency(blocks_of(latencies_s, processes))
    assert latency is not None
    return latency


def test_one_disturbed_block_does_not_move_the_latency() -> None:
    assert latency_of([0.01] * 3 + [0.09] + [0.01] * 5).point == pytest.approx(0.01)


def test_two_blocks_are_too_few_to_say_much() -> None:
    latency = latency_of([0.100, 0.102])
    assert latency.point == pytest.approx(0.101)
    assert latency.high is not None
    assert latency.high - latency.point > 0.01  # t with one degree of freedom, not the range
    assert "mean of 2" in latency.source


def test_one_block_has_no_interval() -> None:
    latency = latency_of([0.1])
    assert (latency.low, latency.high, latency.confidence) == (None, None, None)


def test_blocks_that_drift_widen_the_interval_of_their_median() -> None:
    drifting = [0.100 + 0.001 * (k // 5) for k in range(20)]
    shuffled = [drifting[(7 * k) % 20] for k in range(20)]
    wide, narrow = latency_of(drifting), latency_of(shuffled)
    assert wide.point == narrow.point
    assert wide.half_width > 1.5 * narrow.half_width


def test_processes_that_differ_widen_the_interval_though_each_is_steady() -> None:
    processes = (0, 1, 2) * 10
    latency = latency_of([0.100 + 0.001 * process for process in processes], processes)
    assert latency.point == pytest.approx(0.101)
    # Student's t with two degrees of freedom, on three means 1 ms apart.
    assert latency.half_width == pytest.approx(4.303 * 0.001 / 3**0.5, rel=1e-3)
    assert "of 3 processes" in latency.source


class Turns:
    """Two models, one longer by `ratio`, in processes of different speed, while all drifts."""

    def __init__(
        self,
        processes: int,
        *,
        drift: float,
        ratio: float = 1.1,
        call_s: float = 0.01,
        is_shared: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.drift, self.ratio, self.call_s = drift, ratio, call_s
        self.order: list[tuple[int, int]] = []
        runners = [
            LocalRunner(
                [self.caller(process, model) for model in (0, 1)],
                lambda: None,
                self.clock,
                SILENT_KERNEL,
            )
            for process in range(processes)
        ]
        self.recorder = Recorder([], clock=self.clock).start()
        self.protocol = MeasuringProtocol(
            runners=runners,
            names=("a", "b"),
            recorder=self.recorder,
            clock=self.clock,
            sleep=self.clock.sleep,
            protocol=Protocol(max_seconds=40.0, precision=0.01, is_shared=is_shared),
            choose=lambda traces: traces,
            progress=lambda stage, share: None,
        )

    def caller(self, process: int, model: int) -> Callable[[], None]:
        def call() -> None:
            slower = 1 + self.drift * (self.clock.now_s() - 1000.0)
            self.clock.advance(
                self.call_s * slower * (1 + 0.05 * process) * (self.ratio if model else 1)
            )

        return call


@pytest.mark.parametrize("processes", [1, 3])
def test_in_turns_drift_and_states_of_processes_cancel_and_the_ratio_decides(
    processes: int,
) -> None:
    turns = Turns(processes, drift=0.02)
    result = turns.protocol.run()
    assert result.stopped_by == "precision"
    first, second = (
        Repetition(series="s", process_count=processes, is_fresh=True, blocks=blocks)
        for blocks in result.blocks
    )
    assert [block.round for block in first.blocks] == [block.round for block in second.blocks]
    assert {block.process for block in first.blocks} == set(range(processes))
    pairs = list(zip(first.blocks, second.blocks, strict=True))
    assert all(a.process == b.process for a, b in pairs)
    assert len({a.start_s < b.start_s for a, b in pairs}) == 2  # the order is random
    ratio = latency_ratio_of_rounds(first, second)
    assert ratio is not None
    assert ratio.low <= 1.1 <= ratio.high
    assert ratio.high - ratio.low < 0.03
    assert max(block.latency_s for block in first.blocks) > 1.1 * first.blocks[0].latency_s


def test_where_cpus_are_shared_models_take_quick_turns_whose_order_cancels_a_drift() -> None:
    turns = Turns(3, drift=0.05, call_s=0.003, is_shared=True)
    result = turns.protocol.run()
    first, second = result.turns
    assert len(first) == len(result.blocks[0])
    assert [one.round for one in first] == [block.round for block in result.blocks[0]]
    assert [one.process for one in first] == [block.process for block in result.blocks[0]]
    for one, other in zip(first, second, strict=True):
        assert (one.start_s, one.end_s) == (other.start_s, other.end_s)
        assert len(one.latencies_s) == len(other.latencies_s) >= 2
        assert len(one.latencies_s) % 2 == 0
        logs = [math.log(b / a) for a, b in zip(one.latencies_s, other.latencies_s, strict=True)]
        for there, back in zip(logs[::2], logs[1::2], strict=True):
            assert (there + back) / 2 == pytest.approx(math.log(1.1), abs=2e-5)
    windows = [span for span in result.spans if span.name == "turns"]
    assert [span.start_s for span in windows] == [one.start_s for one in first]


@pytest.mark.parametrize(("call_s", "is_shared"), [(0.003, False), (0.5, True)])
def test_a_device_of_ones_own_and_calls_that_are_turns_themselves_have_no_quick_turns(
    call_s: float, is_shared: bool
) -> None:
    result = Turns(1, drift=0.0, call_s=call_s, is_shared=is_shared).protocol.run()
    assert result.turns == ((), ())
    assert all(span.name != "turns" for span in result.spans)


def test_what_falls_short_is_one_finding_that_says_how_long_would_do() -> None:
    result = Bench(lambda n: 0.01 + 0.004 * (n % 7), max_seconds=2.0, precision=1e-3).run()
    (finding,) = (item for item in result.findings if item.kind == "budget-ended")
    assert "latency reached ±" in finding.observed
    assert "±0.1 % was asked for" in finding.observed


def test_calls_too_long_for_all_processes_are_measured_in_one_and_the_budget_nearly_holds() -> None:
    turns = Turns(3, drift=0.0, call_s=4.0)
    start_s = turns.clock.now_s()
    result = turns.protocol.run()
    assert {block.process for blocks in result.blocks for block in blocks} == {0}
    assert "fewer-processes" in {finding.kind for finding in result.findings}
    assert turns.clock.now_s() - start_s < 45.0
    brisk = Turns(3, drift=0.0, call_s=0.5).protocol.run()
    assert {block.process for block in brisk.blocks[0]} == {0, 1, 2}
