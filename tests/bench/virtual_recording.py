"""What the product's own meter and sampler log on the virtual machine, under a clock that jumps."""

from __future__ import annotations

import random

from profiler.meters.nvml import NvmlMeter
from profiler.recording.sampler import MeterSampler
from profiler.values.trace import Trace
from tests.bench.scenarios import Load
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Scenario, VirtualGpu, install

AFTERWARDS_S = 0.3


def record_load(
    load: Load, seed: int, *, jitter_s: float = 0.0, busy_share: float = 0.01, **gpu: object
) -> tuple[Trace, ...]:
    """Traces of a load on a virtual H100, sampled as a thread would: late, and at times very late.

    Args:
        load: begins at 0 s of the clock.
        seed: phase of the counter, and how late each look comes.
        jitter_s: of the counter's updates.
        busy_share: share of looks that come some 10 ms late, because the machine is busy.
        gpu: further fields of `VirtualGpu`.
    """
    chance = random.Random(seed)
    clock = FakeClock(start_s=0.0)
    device = VirtualGpu(
        script=load.script, phase_s=chance.uniform(0, 0.1), jitter_s=jitter_s, seed=seed, **gpu
    )  # type: ignore[arg-type]  # its own fields
    scenario = Scenario(gpus=(device,), call_cost_s=3e-5)
    with install(scenario, now_s=clock.now_s, sleep=clock.sleep):
        meter = NvmlMeter(environment={})
        sampler = MeterSampler(meter, meter.open(), clock)
        while clock.now_s() < load.script.end_s + AFTERWARDS_S:
            due_s = sampler.step()
            late_s = chance.expovariate(1 / 1e-4)
            if chance.random() < busy_share:
                late_s += chance.expovariate(1 / 0.01)
            clock.advance_to(max(clock.now_s(), due_s) + late_s)
        traces = sampler.traces()
        meter.close()
    return traces
