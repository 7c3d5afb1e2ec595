"""Layers that are measured on a clock that jumps: the load of this machine cannot be seen.

world = VirtualWorld(idle_w=20.0)
report = world.measure_layers(nn.Sequential(Load(world.power, watts=100.0, seconds=2e-3)))
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from profiler.layers import LayerReport
from profiler.layers.measurement import conduct_here
from profiler.layers.session import LayerSession
from profiler.layers.stamps import CallTimeline, HostTimeline
from profiler.machine.device import Device
from profiler.meters import OpenMeter
from profiler.recording.recorder import Recorder
from profiler.values.hardware import HardwareBest
from profiler.workload.prepared import prepare
from tests.virtual.clock import FakeClock
from tests.virtual.recording import VirtualRecorder
from tests.virtual.workload import LoadMeter, LoadPower

CPU = Device(name="cpu", label="a CPU", identity=None, synchronize=lambda: None)


class VirtualWorld:
    """A clock, what draws power on it, and the counter that sees this."""

    def __init__(self, idle_w: float, update_period_s: float = 0.02) -> None:
        self.clock, self.ahead = FakeClock(), FakeClock()
        self.power = LoadPower(idle_w, self.clock.now_s, self.pass_time)
        self.meter = LoadMeter(self.power, update_period_s=update_period_s, now_s=self.ahead.now_s)
        self.recorder: VirtualRecorder | None = None

    def pass_time(self, duration_s: float) -> None:
        if self.recorder is None:
            self.clock.advance(duration_s)
            self.ahead.advance_to(max(self.ahead.now_s(), self.clock.now_s()))
        else:
            self.recorder.pass_time(duration_s)

    def measure_layers(
        self,
        model: nn.Module,
        hardware: HardwareBest,
        *,
        precision: float = 0.05,
        max_seconds: float = 6.0,
        method: str = "replay",
    ) -> LayerReport:
        """As `profiler.measure_layers` does it."""
        start_s = self.clock.now_s()
        session = _VirtualSession(
            name=type(model).__name__, bench=prepare(model, torch.zeros(4), CPU), device=CPU,
            precision=precision, start_s=start_s, max_seconds=max_seconds, method=method, seed=0,
            given_meters=[(self.meter, self.meter.open())], tell=lambda stage, share: None,
            clock=self.clock,
        )  # fmt: skip
        session.world = self
        return conduct_here(session, hardware)


class _VirtualSession(LayerSession):
    world: VirtualWorld

    def _make_timeline(self) -> CallTimeline:
        return HostTimeline(self.clock.now_s)

    def _make_recorder(self, meters: Sequence[OpenMeter]) -> Recorder:
        recorder = VirtualRecorder(meters, clock=self.world.clock, sensor_clock=self.world.ahead)
        self.world.recorder = recorder
        return recorder
