"""A whole measurement on a virtual clock: no torch, no waiting, the truth known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from profiler.inference.call_cost import TimedRun, cost_per_call
from profiler.measurement.protocol import MeasuringProtocol, Protocol, ProtocolResult, block_latency
from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.recorder import Recorder
from profiler.values.trace import Window
from tests.virtual.clock import FakeClock
from tests.virtual.recording import VirtualRecorder

IDLE_W, BUSY_W = 80.0, 330.0


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
            call=self.call,
            synchronize=lambda: None,
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
    assert outcome.latency_s.point == pytest.approx(0.02, rel=1e-6)
    run = TimedRun(
        blocks=outcome.blocks,
        idles=outcome.idles,
        windows=bench.recorder.windows(),
        now_s=bench.recorder.now_s,
    )
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
    first, second = outcome.idles
    assert first.end_s is not None
    assert first.end_s <= outcome.blocks[0].start_s
    assert second.start_s >= (outcome.blocks[-1].end_s or 0.0)


def test_slow_first_calls_stay_out_of_the_blocks() -> None:
    bench = Bench(lambda n: 0.3 if n < 3 else 0.02, max_seconds=20.0)
    outcome = bench.run()
    assert outcome.latency_s.point == pytest.approx(0.02, rel=1e-6)


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
    assert len(outcome.blocks) >= 2


def test_a_call_longer_than_the_budget_is_still_measured_twice() -> None:
    outcome = Bench(lambda n: 7.0, max_seconds=5.0).run()
    assert outcome.latency_s.point == pytest.approx(7.0)
    assert len(outcome.blocks) == 2


def test_without_a_sensor_latency_alone_decides() -> None:
    clock = FakeClock()
    recorder = Recorder([], clock=clock).start()
    outcome = MeasuringProtocol(
        call=lambda: clock.advance(0.01), synchronize=lambda: None, recorder=recorder, clock=clock,
        sleep=clock.sleep, protocol=Protocol(max_seconds=10.0), choose=lambda traces: traces,
        progress=lambda stage, share: None,
    ).run()  # fmt: skip
    assert outcome.stopped_by == "precision"


def test_progress_rises_and_names_its_stages() -> None:
    bench = Bench(lambda n: 0.02, max_seconds=5.0)
    bench.run()
    shares = [share for _, share in bench.stages]
    assert shares == sorted(shares)
    assert {stage for stage, _ in bench.stages} == {"idle", "warm-up", "measuring"}


def test_one_disturbed_block_does_not_move_the_latency() -> None:
    blocks = [
        Window(name="block", start_s=k, end_s=k + (0.9 if k == 3 else 0.1), iteration_count=10)
        for k in range(9)
    ]
    assert block_latency(blocks).point == pytest.approx(0.01)


def blocks_of(latencies_s: list[float]) -> list[Window]:
    return [
        Window(name="block", start_s=10.0 * k, end_s=10.0 * k + 10 * value, iteration_count=10)
        for k, value in enumerate(latencies_s)
    ]


def test_two_blocks_are_too_few_to_say_much() -> None:
    latency = block_latency(blocks_of([0.100, 0.102]))
    assert latency.point == pytest.approx(0.101)
    assert latency.high - latency.point > 0.01  # t with one degree of freedom, not the range
    assert "mean of 2" in latency.source


def test_one_block_has_no_interval() -> None:
    latency = block_latency(blocks_of([0.1]))
    assert (latency.low, latency.high, latency.confidence) == (None, None, None)


def test_blocks_that_drift_widen_the_interval_of_their_median() -> None:
    drifting = [0.100 + 0.001 * (k // 5) for k in range(20)]
    shuffled = [drifting[(7 * k) % 20] for k in range(20)]
    wide, narrow = block_latency(blocks_of(drifting)), block_latency(blocks_of(shuffled))
    assert wide.point == narrow.point
    assert wide.half_width > 1.5 * narrow.half_width
