"""What the product's own meters and sampler log on a virtual machine, under a clock that jumps."""

from __future__ import annotations

import random
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from profiler.meters import Meter
from profiler.meters.nvml import NvmlMeter
from profiler.meters.rapl import RaplMeter
from profiler.recording.sampler import MeterSampler
from profiler.values.trace import Channel, ChannelKind, Trace
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


class Where(Enum):
    """What the sampling thread was about to do when it was put aside."""

    BETWEEN = auto()
    BEFORE_VALUE = auto()
    AFTER_VALUE = auto()


@dataclass(frozen=True)
class Nap:
    """A sampling thread that is not run for a while, from its first turn after an instant on."""

    from_s: float
    duration_s: float
    where: Where


class Naps:
    """Takes naps in the middle of reads of a counter, and between them."""

    def __init__(self, naps: Sequence[Nap], clock: FakeClock) -> None:
        self._left = deque(sorted(naps, key=lambda nap: nap.from_s))
        self._clock = clock

    def disturb(self, meter: Meter) -> None:
        """Let reads of its counters be interrupted."""
        read = meter.read

        def read_with_naps(channel: Channel) -> float:
            if channel.kind is ChannelKind.POWER:
                return read(channel)
            self._clock.advance(self.due_s(Where.BEFORE_VALUE))
            value = read(channel)
            self._clock.advance(self.due_s(Where.AFTER_VALUE))
            return value

        meter.read = read_with_naps  # type: ignore[method-assign]  # of this meter alone

    def due_s(self, where: Where) -> float:
        """How long the thread is put aside now, s."""
        if not self._left or self._left[0].where is not where:
            return 0.0
        return self._left.popleft().duration_s if self._left[0].from_s <= self._clock.now_s() else 0


def record_load(
    load: Load,
    seed: int,
    *,
    sensor: Sensor = H100,
    jitter_s: float = 0.0,
    busy_share: float = IDLE_SHARE,
    naps: Sequence[Nap] = (),
    **gpu: object,
) -> tuple[Trace, ...]:
    """Traces of a load, sampled as a thread would: late, and at times very late.

    Args:
        load: begins at 0 s of the clock.
        seed: phase of the counter, and how late each look comes.
        sensor: what shows the joules.
        jitter_s: of the counter's updates.
        busy_share: share of looks that come some 10 ms late, because the machine is busy.
        naps: when the thread was not run at all.
        gpu: further fields of `VirtualGpu`.
    """
    chance = random.Random(seed)
    clock = FakeClock(start_s=0.0)
    if sensor.gpu is not None:
        sensor = Sensor(sensor.name, {**sensor.gpu, "jitter_s": jitter_s, **gpu})
    edges_s = sorted({edge for w in load.windows for edge in (w.start_s, w.end_s or 0.0)})
    with sensor.opened(load, seed, clock) as meter:
        sampler, nap = MeterSampler(meter, meter.open(), clock), Naps(naps, clock)
        nap.disturb(meter)
        late_s, until_s = _lateness(chance, busy_share), load.script.end_s + AFTERWARDS_S
        _look(sampler, clock, edges_s, until_s, lambda: late_s() + nap.due_s(Where.BETWEEN))
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
        while edge_s < min(clock.now_s(), until_s):  # it passed while the thread was busy
            edge_s = next(edges, until_s)
        if due_s >= edge_s:
            clock.advance_to(max(clock.now_s(), edge_s))
            sampler.hurry()
            edge_s, due_s = next(edges, until_s), clock.now_s()
        clock.advance_to(max(clock.now_s(), due_s) + late_s())
