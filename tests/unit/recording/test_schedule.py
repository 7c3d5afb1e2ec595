from __future__ import annotations

import random

import pytest

from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.channel_log import CounterLog
from profiler.recording.sampler import MeterSampler
from profiler.recording.schedule import CounterSchedule, RetrySchedule, SteadySchedule
from profiler.values.trace import CounterTrace
from tests.virtual.clock import FakeClock


def watch(
    period_s: float,
    *,
    stated_s: float | None,
    seconds: float,
    late_s: float = 1e-4,
    busy_share: float = 0.0,
    seed: int = 0,
) -> tuple[list[tuple[float, float]], int]:
    """Brackets of the moves that a schedule sees of a counter with that period, and its reads."""
    clock, chance = FakeClock(), random.Random(seed)
    meter = SyntheticMeter([(1.0, 100.0)], update_period_s=period_s, phase_s=0.017, clock=clock)
    (channel,) = meter.open()
    log, plan = CounterLog(channel), CounterSchedule(stated_s, 2e-5)
    end_s = clock.now_s() + seconds
    while clock.now_s() < end_s:
        start_s = clock.now_s()
        clock.advance(2e-5)
        moved = log.observe(start_s, clock.now_s(), meter.read(channel))
        due_s = plan.after_no_move(clock.now_s()) if moved is None else plan.after_move(*moved)
        clock.advance_to(due_s + chance.expovariate(1 / late_s))
        if chance.random() < busy_share:
            clock.advance(chance.expovariate(1 / 0.01))
    trace = log.trace()
    return list(zip(trace.earliest_s, trace.latest_s, strict=True)), log.read_count


@pytest.mark.parametrize("period_s", [0.02, 0.1, 0.25])
def test_moves_of_a_known_period_are_bracketed_within_two_milliseconds(period_s: float) -> None:
    brackets, read_count = watch(period_s, stated_s=period_s, seconds=20)
    sharp = [latest - earliest for earliest, latest in brackets[5:] if latest - earliest < 5e-3]
    strides = max(1, round(0.08 / period_s))
    assert len(sharp) >= 0.8 * 20 / (period_s * strides)
    assert sorted(sharp)[len(sharp) // 2] <= 2e-3
    assert read_count <= 20 * 45


def test_an_unknown_period_is_learned() -> None:
    brackets, read_count = watch(0.1, stated_s=None, seconds=20)
    late = [latest - earliest for earliest, latest in brackets[20:]]
    assert sorted(late)[len(late) // 2] <= 2e-3
    assert read_count <= 20 * 60


@pytest.mark.parametrize("seed", range(6))
def test_an_unknown_period_is_learned_on_a_busy_machine(seed: int) -> None:
    brackets, _ = watch(0.1, stated_s=None, seconds=20, busy_share=0.15, seed=seed)
    widths = sorted(latest - earliest for earliest, latest in brackets[20:])
    assert widths[len(widths) // 2] <= 0.03


def test_a_wrongly_stated_period_is_corrected() -> None:
    brackets, _ = watch(0.1003, stated_s=0.1, seconds=30)
    late = [latest - earliest for earliest, latest in brackets[50:]]
    assert sorted(late)[len(late) // 2] <= 3e-3


def test_a_slow_sensor_is_asked_at_most_half_of_the_time() -> None:
    plan = CounterSchedule(0.1, read_cost_s=0.2)
    assert plan.after_move(10.0, 10.2) >= 10.4 - 1e-9
    assert SteadySchedule(0.1, read_cost_s=0.2).after(5.0) == pytest.approx(5.4)


def test_failed_reads_are_tried_again_soon_and_then_once_a_second() -> None:
    plan = RetrySchedule()
    waits_s = [plan.after_failure(0.0) for _ in range(12)]
    assert waits_s[0] <= 0.01
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] == 1.0
    plan.reset()
    assert plan.after_failure(0.0) == waits_s[0]


def test_reading_costs_little_although_every_move_is_seen() -> None:
    clock = FakeClock()
    meter = SyntheticMeter([(1.0, 100.0)], phase_s=0.03, clock=clock)
    sampler = MeterSampler(meter, meter.open(), clock)
    end_s = clock.now_s() + 60
    while clock.now_s() < end_s:
        clock.advance_to(sampler.step() + 1e-4)
    (trace,) = sampler.traces()
    assert isinstance(trace, CounterTrace)
    assert len(trace.energy_j) == pytest.approx(600, abs=2)
    assert sampler.channels[0].log.read_count <= 4 * 600
