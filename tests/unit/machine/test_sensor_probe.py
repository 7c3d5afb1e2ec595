from __future__ import annotations

import pytest

from profiler.machine.sensor_probe import probe
from profiler.meters.nvml import NvmlMeter
from profiler.meters.synthetic import SyntheticMeter
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Fault, Scenario, VirtualGpu, install
from tests.virtual.power import constant


def test_the_period_kept_is_seen_whatever_the_documents_say() -> None:
    clock = FakeClock()
    gpu = VirtualGpu(script=constant(300, 60).at(clock.now_s()), update_period_s=0.02)
    with install(Scenario(gpus=(gpu,)), now_s=clock.now_s, sleep=clock.sleep):
        meter = NvmlMeter(environment={})
        counter = next(c for c in meter.open() if c.key == "gpu:0:energy")
        seen = probe(meter, counter, clock, 1.0, sleep=clock.sleep)
        meter.close()
    assert seen.update_period_s == pytest.approx(0.02, abs=0.001)
    assert seen.mean_power_w == pytest.approx(300, rel=0.05)
    assert seen.noise_w < 20


def test_a_value_that_never_moves_has_no_period() -> None:
    clock = FakeClock()
    gpu = VirtualGpu(script=constant(300, 60).at(clock.now_s()), faults=(Fault("frozen"),))
    with install(Scenario(gpus=(gpu,)), now_s=clock.now_s, sleep=clock.sleep):
        meter = NvmlMeter(environment={})
        counter = next(c for c in meter.open() if c.key == "gpu:0:energy")
        seen = probe(meter, counter, clock, 1.0, sleep=clock.sleep)
        meter.close()
    assert seen.update_period_s is None
    assert seen.mean_power_w is None
    assert seen.read_count > 0


def test_failures_are_counted_apart() -> None:
    clock = FakeClock()
    meter = SyntheticMeter(clock=clock)
    (channel,) = meter.open()
    meter.close()
    seen = probe(meter, channel, clock, 0.1, sleep=clock.sleep)
    assert seen.read_count == 0
    assert seen.failure_count > 50
    assert seen.read_cost_s is None
