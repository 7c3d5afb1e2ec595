"""Virtual cards whose counters see all of a load, or a part of each period: which is which."""

from __future__ import annotations

from functools import cache

import pytest

from profiler.layers import load_response
from profiler.layers.load_response import watch_response
from profiler.meters.nvml import NvmlMeter
from profiler.meters.nvml_powers import AVERAGE, INSTANT, USAGE, GpuPowers
from profiler.values.sensor_response import SensorResponse
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Scenario, VirtualGpu, install
from tests.virtual.power import PowerScript, constant, steps

IDLE_W, LOADED_W = 100.0, 600.0


@pytest.fixture(autouse=True)
def _polled_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_response, "POLL_S", 3e-3)


class Scripted:
    """A load whose every launch was foreseen: a first pass notes them, a second one meets them."""

    text = "a scripted load"

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self.spans_s = clock, []
        self._free_s = 0.0

    def launch(self, seconds: float) -> None:
        start_s = max(self._clock.now_s(), self._free_s)
        self._free_s = start_s + seconds
        self.spans_s.append((start_s, self._free_s))

    def wait(self) -> None:
        self._clock.advance_to(max(self._clock.now_s(), self._free_s))


def watched(gpu: VirtualGpu) -> tuple[SensorResponse | None, Scripted]:
    clock = FakeClock()
    load = Scripted(clock)
    with install(Scenario(gpus=(gpu,)), now_s=clock.now_s, sleep=clock.sleep):
        meter, powers = NvmlMeter(environment={}), GpuPowers(gpu.uuid)
        counter = next(channel for channel in meter.open() if channel.key == "gpu:0:energy")
        found = watch_response(meter, counter, powers.open(), load, clock, sleep=clock.sleep)
        powers.close()
        meter.close()
    return found, load


@cache
def script() -> PowerScript:
    """What the load draws: the schedule is the same whatever the card shows, save for its phase."""
    start_s = FakeClock().now_s()
    _, load = watched(VirtualGpu(script=constant(IDLE_W, 60).at(start_s)))
    levels, now_s = [], start_s
    for from_s, to_s in load.spans_s:
        if from_s > now_s + 1e-9:
            levels.append((from_s - now_s, IDLE_W))
        levels.append((to_s - from_s, LOADED_W))
        now_s = to_s
    return steps([*levels, (5.0, IDLE_W)]).at(start_s)


def response(**fields: object) -> SensorResponse:
    found, _ = watched(VirtualGpu(script=script(), **fields))
    assert found is not None
    return found


def test_a_counter_that_sees_everything_hardly_swings_where_instant_power_does() -> None:
    seen = response(phase_s=0.041)
    assert seen.is_part_time is False
    assert seen.counter_swing.point < 0.1
    assert seen.power_swing is not None
    assert seen.power_swing.point > 0.9
    assert seen.idle_w.point == pytest.approx(IDLE_W, rel=0.02)
    assert seen.loaded_w.point == pytest.approx(LOADED_W, rel=0.02)


@pytest.mark.parametrize(("look_s", "most_s"), [(0.025, 0.038), (0.05, 0.056)])
def test_a_part_time_counter_is_told_and_for_how_long_it_looks(look_s, most_s) -> None:
    seen = response(part_time=True, look_s=look_s)
    assert seen.is_part_time is True
    assert seen.counter_look_s is not None
    assert seen.counter_look_s.high <= most_s
    assert seen.counter_look_s.low <= look_s


def test_how_late_each_power_reading_is() -> None:
    delays_s = {name: delay.point for name, delay in response(average_s=1.0).delays_s.items()}
    # Half of what it averages over, and half a period until it is renewed.
    assert delays_s[INSTANT] == pytest.approx(0.0125 + 0.05, abs=0.02)
    assert delays_s[AVERAGE] == pytest.approx(0.5 + 0.05, abs=0.03)
    assert delays_s[USAGE] == pytest.approx(delays_s[AVERAGE], abs=0.02)


def test_a_load_that_makes_no_difference_tells_nothing() -> None:
    found, _ = watched(VirtualGpu(script=constant(IDLE_W, 60).at(FakeClock().now_s())))
    assert found is None


def test_a_counter_too_quick_for_bursts_is_not_examined() -> None:
    quick = VirtualGpu(script=constant(IDLE_W, 60).at(FakeClock().now_s()), update_period_s=0.005)
    assert watched(quick)[0] is None
