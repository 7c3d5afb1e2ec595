from __future__ import annotations

import math

import pytest

from profiler.errors import SensorError
from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.sampler import EDGE_LOOKS_AT_ONCE, EDGE_LOOKS_PER_S, MeterSampler
from profiler.values.trace import Channel, CounterTrace, PowerTrace
from tests.virtual.clock import FakeClock


def run(sampler: MeterSampler, clock: FakeClock, seconds: float) -> None:
    end_s = clock.now_s() + seconds
    while (due_s := max(sampler.step(), clock.now_s())) < end_s:
        clock.advance_to(due_s + 1e-5)
    clock.advance_to(end_s)


def made(meter: SyntheticMeter, clock: FakeClock) -> MeterSampler:
    return MeterSampler(meter, meter.open(), clock)


def test_a_hundred_watts_for_two_seconds_are_two_hundred_joules() -> None:
    clock = FakeClock()
    sampler = made(SyntheticMeter([(1.0, 100.0)], phase_s=0.05, clock=clock), clock)
    run(sampler, clock, 2.2)
    (trace,) = sampler.traces()
    assert isinstance(trace, CounterTrace)
    moved_j = trace.energy_j[-1] - trace.energy_j[1]
    moved_s = (len(trace.energy_j) - 2) * 0.1
    assert moved_j == pytest.approx(100 * moved_s)
    assert moved_s == pytest.approx(2.0, abs=0.11)


def test_counter_and_power_of_one_meter_are_both_read() -> None:
    clock = FakeClock()
    sampler = made(SyntheticMeter([(1.0, 100.0)], clock=clock, with_power=True), clock)
    run(sampler, clock, 3.0)
    counter, power = sampler.traces()
    assert isinstance(counter, CounterTrace)
    assert isinstance(power, PowerTrace)
    assert set(power.power_w) == {100.0}
    assert len(power.time_s) == pytest.approx(30, abs=4)


class Odd(SyntheticMeter):
    """Answers with a given value, or raises it."""

    answer: float | Exception = math.nan

    def read(self, channel: Channel) -> float:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer", [math.nan, math.inf, SensorError("gone"), OSError("x"), ZeroDivisionError()]
)
def test_what_no_sensor_can_mean_is_a_failed_read(answer: float | Exception) -> None:
    clock = FakeClock()
    meter = Odd(clock=clock)
    sampler = made(meter, clock)
    meter.answer = answer
    run(sampler, clock, 5.0)
    (trace,) = sampler.traces()
    assert isinstance(trace, CounterTrace)
    assert trace.energy_j == ()
    assert trace.last_seen_s is None
    assert len(trace.faults) == 1
    assert sampler.channels[0].log.failure_count < 20


@pytest.mark.parametrize("answer", [-5.0, 4294967.295])
def test_a_power_that_cannot_be_is_not_kept(answer: float) -> None:
    clock = FakeClock()
    meter = Odd(clock=clock, with_power=True)
    meter.answer = answer
    sampler = made(meter, clock)
    run(sampler, clock, 2.0)
    assert sampler.channels[1].log.failure_count > 0
    assert len(sampler.channels[1].log) == 0


def test_edges_bring_a_fast_counter_forward_but_not_for_ever() -> None:
    clock = FakeClock()
    sampler = made(SyntheticMeter([(1.0, 100.0)], update_period_s=1e-3, clock=clock), clock)
    assert sampler.streaming
    run(sampler, clock, 1.0)
    before = sampler.channels[0].log.read_count
    for _ in range(3000):
        clock.advance(1e-3)
        sampler.hurry()
        sampler.step()
    looks = sampler.channels[0].log.read_count - before
    assert looks <= EDGE_LOOKS_AT_ONCE + 3 * (EDGE_LOOKS_PER_S + 30)
    clock.advance(1.0)
    sampler.step()
    clock.advance(5e-3)
    sampler.hurry()
    sampler.step()
    assert sampler.channels[0].log.last_seen_s == clock.now_s()


def test_a_slow_counter_is_not_read_for_the_sake_of_an_edge() -> None:
    clock = FakeClock()
    sampler = made(SyntheticMeter([(1.0, 100.0)], clock=clock), clock)
    assert not sampler.streaming
    run(sampler, clock, 2.0)
    due_s = sampler.channels[0].due_s
    sampler.hurry()
    assert sampler.channels[0].due_s == due_s
