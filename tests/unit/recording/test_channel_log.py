from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.inference import infer_counter, integrate_power
from profiler.recording.channel_log import CAPACITY, CounterLog, PowerLog
from profiler.recording.fault_log import FAULT_CAPACITY, FaultLog
from profiler.values.trace import Channel, ChannelKind, CounterTrace, FaultKind, Window

SLOW = Channel(
    device="gpu:0", kind=ChannelKind.ENERGY, source="test", update_period_s=0.1, resolution_j=1e-3
)
FAST = Channel(
    device="cpu:package-0", kind=ChannelKind.ENERGY, source="test", update_period_s=1e-3,
    resolution_j=1e-6, wrap_j=1000.0,
)  # fmt: skip
POWER = Channel(
    device="gpu:0", kind=ChannelKind.POWER, source="test", update_period_s=0.1, averaging_s=0.0
)


def filled(raws_j: list[float], *, channel: Channel = SLOW, step_s: float = 0.1) -> CounterLog:
    log = CounterLog(channel, streaming=channel is FAST)
    for k, raw_j in enumerate(raws_j):
        log.observe(k * step_s, k * step_s + 1e-4, raw_j)
    return log


def test_energy_counts_from_the_first_reading() -> None:
    trace = filled([5000.0, 5010.0, 5020.0]).trace()
    assert trace.energy_j == (0.0, 10.0, 20.0)
    assert trace.earliest_s[1:] == (0.0, 0.1)
    assert trace.latest_s == pytest.approx((0.0001, 0.1001, 0.2001))


def test_the_first_value_was_reached_within_the_last_two_periods() -> None:
    trace = filled([5000.0, 5010.0]).trace()
    assert trace.earliest_s[0] == pytest.approx(-0.2)
    model = CounterLog(SLOW, moves_when_read=True)
    model.observe(1.0, 1.1, 5000.0)
    assert model.trace().earliest_s == (1.0,)


def test_a_first_step_of_unknown_power_is_no_measure_for_a_freeze() -> None:
    """Read just before a move, it looks like kilowatts beside what comes after it."""
    log = CounterLog(SLOW)
    log.observe(0.099, 0.0991, 0.0)
    log.observe(0.101, 0.1011, 10.0)
    log.observe(0.501, 0.5011, 50.0)
    assert log.trace().faults == ()


def test_a_value_that_stands_still_is_no_move() -> None:
    log = filled([5.0, 5.0, 5.0])
    assert len(log) == 1
    assert log.last_seen_s == pytest.approx(0.2001)


@given(
    power_w=st.floats(1, 900), wrap_j=st.floats(100, 1e5), step_s=st.floats(0.005, 0.05),
    start_j=st.floats(0, 50),
)  # fmt: skip
def test_wraps_are_taken_back_at_any_rate_that_sees_them(
    power_w: float, wrap_j: float, step_s: float, start_j: float
) -> None:
    channel = Channel(
        device="cpu:package-0", kind=ChannelKind.ENERGY, source="t", update_period_s=1e-3,
        wrap_j=wrap_j,
    )  # fmt: skip
    truth_j = [start_j + power_w * step_s * k for k in range(200)]
    log = CounterLog(channel, streaming=True)
    for k, energy_j in enumerate(truth_j):
        log.observe(k * step_s, k * step_s + 1e-5, energy_j % wrap_j)
    trace = log.trace()
    assert set(trace.epoch) == {0}
    assert trace.energy_j[-1] == pytest.approx(truth_j[-1] - truth_j[0], rel=1e-6, abs=1e-6)


def test_a_wrap_that_may_have_happened_twice_begins_an_epoch() -> None:
    log = filled([10.0, 20.0], channel=FAST)
    log.observe(9.0, 9.0001, 30.0)
    trace = log.trace()
    assert trace.epoch[-1] == 1
    assert trace.faults[0].kind is FaultKind.RESET


def test_a_fall_close_below_the_wrap_is_a_wrap_only_if_it_fits_the_power() -> None:
    assert filled([990.0, 995.0, 2.0], channel=FAST, step_s=0.04).trace().epoch[-1] == 0
    assert filled([850.0, 855.0, 0.0], channel=FAST, step_s=0.04).trace().epoch[-1] == 1


def test_a_reset_loses_no_joule_that_was_known_and_invents_none() -> None:
    trace = filled([5000.0, 5010.0, 5020.0, 0.0, 10.0]).trace()
    assert trace.energy_j == (0.0, 10.0, 20.0, 20.0, 30.0)
    assert trace.epoch == (0, 0, 0, 1, 1)


def test_a_step_no_device_can_draw_begins_an_epoch() -> None:
    assert filled([0.0, 10.0, 1e6]).trace().epoch == (0, 0, 1)


def test_a_big_step_inside_a_sharp_bracket_is_the_energy_of_a_whole_period() -> None:
    log = CounterLog(SLOW)
    for k in range(1, 6):
        log.observe(k * 0.1 - 1e-4, k * 0.1 - 5e-5, 100.0 * k - 100)
        log.observe(k * 0.1 + 1e-5, k * 0.1 + 2e-5, 100.0 * k)
    assert set(log.trace().epoch) == {0}


def test_a_counter_that_stood_still_and_did_not_catch_up_is_noted() -> None:
    log = filled([10.0 * k for k in range(20)])
    for k in range(20, 40):
        log.observe(k * 0.1, k * 0.1 + 1e-4, 190.0)
    log.observe(4.0, 4.0001, 200.0)
    (fault,) = log.trace().faults
    assert fault.kind is FaultKind.FROZEN
    assert fault.end_s == pytest.approx(4.0001)


def test_a_late_update_that_catches_up_is_no_freeze() -> None:
    log = filled([10.0 * k for k in range(20)])
    for k in range(20, 40):
        log.observe(k * 0.1, k * 0.1 + 1e-4, 190.0)
    log.observe(4.0, 4.0001, 400.0)
    assert log.trace().faults == ()


def test_a_short_row_of_failures_is_no_fault_and_a_long_one_is() -> None:
    log = FaultLog()
    log.fail(1.0, "x")
    log.fail(1.2, "x")
    assert log.snapshot() == ()
    log.succeed(1.3)
    assert log.snapshot() == ()
    log.fail(2.0, "gone")
    log.fail(2.5, "gone")
    assert log.snapshot()[0].kind is FaultKind.LOST
    log.succeed(2.6)
    (fault,) = log.snapshot()
    assert (fault.kind, fault.start_s, fault.end_s) == (FaultKind.UNREADABLE, 2.0, 2.6)


def test_faults_take_bounded_memory() -> None:
    log = FaultLog()
    for k in range(10 * FAULT_CAPACITY):
        log.add(FaultKind.RESET, float(k), k + 0.5, "reset")
    faults = log.snapshot()
    assert len(faults) == FAULT_CAPACITY
    assert faults[-1].end_s == 10 * FAULT_CAPACITY - 0.5


def days(log: CounterLog, edges_s: list[float], power_w, *, hours: float) -> None:
    """Moves every 100 ms, as sharp as the sampler sees them; thinned whenever the log is full."""
    energy_j, count = 0.0, int(hours * 36000)
    log.observe(0.0, 1e-4, 0.0)
    for k in range(1, count):
        energy_j += 0.1 * power_w(k * 0.1)
        move_s = k * 0.1
        log.observe(move_s - 5e-4, move_s - 4e-4, log.trace_value())
        log.observe(move_s + 4e-4, move_s + 5e-4, energy_j)
        if len(log) > CAPACITY:
            log.thin(edges_s)


class Watched(CounterLog):
    def trace_value(self) -> float:
        return self._raw_j or 0.0


@pytest.mark.slow
def test_days_fit_a_fixed_budget_and_old_windows_keep_their_joules() -> None:
    windows = [
        Window(name="early", start_s=100.03, end_s=160.07),
        Window(name="long", start_s=50.0, end_s=5000.0),
    ]
    edges_s = [edge for w in windows for edge in (w.start_s, w.end_s or 0.0)]

    def power_w(time_s: float) -> float:
        if 100.03 <= time_s - 0.05 < 160.07:
            return 300.0
        return 40.0 if time_s < 3600 else 250.0

    log = Watched(SLOW)
    days(log, edges_s, power_w, hours=0.5)
    before = infer_counter(log.trace(), [(w,) for w in windows], windows)
    days_more = Watched(SLOW)
    days(days_more, edges_s, power_w, hours=8)
    assert len(days_more) <= CAPACITY
    trace = days_more.trace()
    assert trace.thinned_before_s is not None
    after = infer_counter(trace, [(w,) for w in windows], windows)
    early, later = before[0].energy_j, after[0].energy_j
    assert early is not None
    assert later is not None
    assert later.point == pytest.approx(early.point, rel=2e-4)
    long = after[1].energy_j
    assert long is not None
    truth_j = 60.04 * 300 + (3600 - 50 - 60.04) * 40 + 1400 * 250
    assert long.point == pytest.approx(truth_j, rel=1e-4)
    assert after[0].findings == after[1].findings == ()


def test_a_thinned_power_log_keeps_its_integral_and_stays_usable() -> None:
    log = PowerLog(POWER)
    window = Window(name="w", start_s=1000.0, end_s=2000.0)
    for k in range(5 * CAPACITY):
        time_s = k * 0.1
        power_w = 300.0 if 1000 <= time_s < 2000 else 100.0
        log.observe(time_s, time_s + 1e-4, power_w)
        if len(log) > CAPACITY:
            log.thin([window.start_s, window.end_s or 0.0])
    assert len(log) <= CAPACITY
    (energy,) = integrate_power(log.trace(), [(window,)], [window])
    assert energy.energy_j is not None
    assert energy.energy_j.point == pytest.approx(300_000, rel=1e-3)


def test_ever_so_many_edges_do_not_keep_a_log_from_thinning() -> None:
    log = CounterLog(SLOW)
    for k in range(CAPACITY + 1):
        log.observe(k * 0.1, k * 0.1 + 1e-4, 10.0 * k)
    log.observe(1e4, 1e4 + 1e-4, 1e9)
    log.thin([k * 0.01 for k in range(200_000)])
    assert len(log) < 0.9 * CAPACITY
    assert log.trace().energy_j[:2] == (0.0, 20.0)


def test_only_what_is_new_can_be_asked_for() -> None:
    log = filled([10.0 * k for k in range(10)])
    assert log.trace(0.55).energy_j == (60.0, 70.0, 80.0, 90.0)


def wrong_for_a_moment(
    power_w: float, at: int, reads: int, wrong_j: float, *, start_j: float, channel: Channel = SLOW
) -> CounterTrace:
    """Sixty reads, a few of which show something else than the counter."""
    step_s = 0.1 if channel is SLOW else 0.04
    truth_j = [start_j + power_w * step_s * k for k in range(60)]
    shown_j = [
        max(0.0, energy_j + wrong_j) if at <= k < at + reads else energy_j
        for k, energy_j in enumerate(truth_j)
    ]
    log = CounterLog(replace(channel, wrap_j=None), streaming=channel is FAST)
    for k, raw_j in enumerate(shown_j):
        log.observe(k * step_s, k * step_s + 1e-4, raw_j)
    return log.trace()


@pytest.mark.parametrize("channel", [SLOW, FAST], ids=["100 ms", "1 ms"])
@pytest.mark.parametrize("wrong_j", [-1e9, -300.0, -20.0, 500.0, 1e7])
@settings(max_examples=20)
@given(power_w=st.floats(15, 900), at=st.integers(4, 45), reads=st.integers(1, 8))
def test_a_value_that_is_wrong_for_a_moment_makes_no_energy(
    channel: Channel, wrong_j: float, power_w: float, at: int, reads: int
) -> None:
    trace = wrong_for_a_moment(power_w, at, reads, wrong_j, start_j=400.0, channel=channel)
    step_s = 0.1 if channel is SLOW else 0.04
    assert trace.energy_j[-1] == pytest.approx(59 * step_s * power_w, rel=1e-9)
    assert set(trace.epoch) == {0}
    assert trace.faults == ()


def test_the_move_after_a_dip_is_bracketed_by_the_reads_around_it() -> None:
    trace = wrong_for_a_moment(100.0, 20, 5, -50.0, start_j=1000.0)
    widest = max(range(len(trace.energy_j)), key=lambda k: trace.latest_s[k] - trace.earliest_s[k])
    assert trace.earliest_s[widest] == pytest.approx(1.9)
    assert trace.latest_s[widest] == pytest.approx(2.5001)


@given(power_w=st.floats(15, 900), before=st.integers(3, 20), start_j=st.floats(0, 30))
def test_a_true_reset_is_no_dip_also_where_it_passes_the_old_value(
    power_w: float, before: int, start_j: float
) -> None:
    first_j = [start_j + power_w * 0.1 * k for k in range(before)]
    then_j = [power_w * 0.1 * k for k in range(3 * before)]
    trace = filled([*first_j, *then_j]).trace()
    assert set(trace.epoch) == {0, 1}
    known_j = (before - 1 + 3 * before - 1) * power_w * 0.1
    assert trace.energy_j[-1] == pytest.approx(known_j, rel=1e-9)


def test_the_way_back_from_a_long_dip_is_no_energy_either() -> None:
    raws_j = [1000.0 + 10 * k - (900 if 50 <= k < 250 else 0) for k in range(300)]
    trace = filled(raws_j).trace()
    assert set(trace.epoch) == {0, 1, 2}
    assert trace.energy_j[-1] <= 2990
    assert trace.energy_j[-1] == pytest.approx(2970)


def test_a_suspension_breaks_the_counter_off_and_is_named() -> None:
    log = filled([10.0 * k for k in range(10)])
    log.break_off(1.0, "suspended for 3600 s")
    for k in range(10):
        log.observe(1.0 + k * 0.1, 1.0001 + k * 0.1, 5e5 + 10.0 * k)
    trace = log.trace()
    assert trace.energy_j[-1] == pytest.approx(180)
    assert set(trace.epoch) == {0, 1}
    (fault,) = trace.faults
    assert (fault.kind, fault.start_s, fault.end_s) == (FaultKind.SUSPENDED, 0.9, 1.0)


@given(
    power_w=st.floats(3, 150), unit_j=st.sampled_from([0.5, 1.0, 2.0]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=20)
def test_the_resolution_of_a_coarse_counter_is_learnt(
    power_w: float, unit_j: float, seed: int
) -> None:
    jitter = random.Random(seed)
    log = CounterLog(FAST, streaming=True)
    time_s = 0.0
    for _ in range(800):
        time_s += 0.04 + jitter.uniform(0, 0.004)
        log.observe(time_s, time_s + 1e-5, power_w * time_s // unit_j * unit_j % 1000)
    learnt_j = log.trace().channel.resolution_j
    assert learnt_j is not None
    assert learnt_j == pytest.approx(unit_j) or unit_j < 3.5e-3 * power_w


@settings(max_examples=20)
@given(power_w=st.floats(1, 900))
def test_a_fine_counter_keeps_its_resolution_at_constant_power(power_w: float) -> None:
    for channel, step_s in ((SLOW, 0.1), (FAST, 0.04)):
        raws_j = [round(power_w * step_s * k, 3) for k in range(100)]
        trace = filled([raw % 1000 for raw in raws_j], channel=channel, step_s=step_s).trace()
        assert trace.channel.resolution_j == channel.resolution_j


def test_a_device_asleep_is_no_lost_sensor() -> None:
    log = FaultLog()
    log.fail(1.0, "asleep", asleep=True)
    assert log.snapshot()[0].kind is FaultKind.ASLEEP
    log.fail(1.2, "asleep", asleep=True)
    log.succeed(1.3)
    assert [(f.kind, f.end_s) for f in log.snapshot()] == [(FaultKind.ASLEEP, 1.2)]
    log.fail(2.0, "gone")
    log.fail(2.1, "asleep", asleep=True)
    log.succeed(3.0)
    assert [fault.kind for fault in log.snapshot()] == [FaultKind.ASLEEP, FaultKind.ASLEEP]
