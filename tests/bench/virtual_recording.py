"""What the product's own meters and sampler log on a virtual machine, under a clock that jumps."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from profiler.meters import Meter
from profiler.meters.nvml import NvmlMeter
from profiler.meters.rapl import RaplMeter
from profiler.recording.sampler import MeterSampler
from profiler.values.trace import Trace
from tests.bench.scenarios import Load
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Scenario, VirtualGpu, install
from tests.virtual.sysfs import SysfsTree, add_domain, counter_uj

AFTERWARDS_S = 0.3
LATE_S, VERY_LATE_S = 1e-4, 1e-2
IDLE_SHARE, BUSY_SHARE = 0.01, 0.15


@dataclass(frozen=True)
class Sensor:
    """A virtual GPU, or the RAPL counter of a package where `gpu` is None."""

    name: str
    gpu: Mapping[str, object] | None = field(default_factory=dict)

    @contextmanager
    def opened(self, load: Load, seed: int, clock: FakeClock) -> Iterator[Meter]:
        """The product's meter on the virtual device, which draws the load."""
        if self.gpu is None:
            with tempfile.TemporaryDirectory() as folder:
                tree = SysfsTree(Path(folder), clock.now_s)
                add_domain(tree, "intel-rapl:0", "package-0", counter_uj(load.script))
                yield RaplMeter(tree.root, reader=tree)
            return
        options = {"phase_s": random.Random(seed).uniform(0, 0.1), **self.gpu}
        device = VirtualGpu(script=load.script, seed=seed, **options)  # type: ignore[arg-type]  # its own fields
        scenario = Scenario(gpus=(device,), call_cost_s=3e-5)
        with install(scenario, now_s=clock.now_s, sleep=clock.sleep):
            yield NvmlMeter(environment={})


H100 = Sensor("H100")
A100 = Sensor("A100", {"name": "NVIDIA A100-SXM4-80GB", "architecture": 7})
RTX_4090 = Sensor("RTX 4090", {"name": "NVIDIA GeForce RTX 4090", "architecture": 8})
V100 = Sensor(
    "V100",
    {"name": "Tesla V100-SXM2-32GB", "architecture": 5, "instant_supported": False}
    | {"update_period_s": 0.02, "look_s": 0.01},
)
RAPL = Sensor("RAPL", None)
SENSORS = (H100, A100, RTX_4090, V100, RAPL)


def record_load(
    load: Load,
    seed: int,
    *,
    sensor: Sensor = H100,
    jitter_s: float = 0.0,
    busy_share: float = IDLE_SHARE,
    **gpu: object,
) -> tuple[Trace, ...]:
    """Traces of a load, sampled as a thread would: late, and at times very late.

    Args:
        load: begins at 0 s of the clock.
        seed: phase of the counter, and how late each look comes.
        sensor: what shows the joules.
        jitter_s: of the counter's updates.
        busy_share: share of looks that come some 10 ms late, because the machine is busy.
        gpu: further fields of `VirtualGpu`.
    """
    chance = random.Random(seed)
    clock = FakeClock(start_s=0.0)
    if sensor.gpu is not None:
        sensor = Sensor(sensor.name, {**sensor.gpu, "jitter_s": jitter_s, **gpu})
    edges_s = sorted({edge for w in load.windows for edge in (w.start_s, w.end_s or 0.0)})
    with sensor.opened(load, seed, clock) as meter:
        sampler = MeterSampler(meter, meter.open(), clock)
        until_s = load.script.end_s + AFTERWARDS_S
        _look(sampler, clock, edges_s, until_s, _lateness(chance, busy_share))
        traces = sampler.traces()
        meter.close()
    return traces


def _lateness(chance: random.Random, busy_share: float) -> Callable[[], float]:
    def late_s() -> float:
        late = chance.expovariate(1 / LATE_S)
        return late + (chance.expovariate(1 / VERY_LATE_S) if chance.random() < busy_share else 0.0)

    return late_s


def _look(
    sampler: MeterSampler,
    clock: FakeClock,
    edges_s: list[float],
    until_s: float,
    late_s: Callable[[], float],
) -> None:
    """Take the turns of a sampling thread, woken at the edges of windows where it asks to be."""
    edges = iter(edges_s) if sampler.streaming else iter(())
    edge_s = next(edges, until_s)
    while clock.now_s() < until_s:
        due_s = sampler.step()
        while edge_s < clock.now_s():  # an edge that passed while the thread was busy
            edge_s = next(edges, until_s)
        if due_s >= edge_s:
            clock.advance_to(max(clock.now_s(), edge_s))
            sampler.hurry()
            edge_s, due_s = next(edges, until_s), clock.now_s()
        clock.advance_to(max(clock.now_s(), due_s) + late_s())
