"""`profiler.record()` on a clock that jumps: hours pass in a moment, and every run is the same.

    with virtual_recording(Scenario(gpus=(gpu,))) as machine:
        with machine.recording.window("work"):
            machine.sleep(2.0)
    machine.recording["work"].energy_j

The threads of the recorder become turns that are taken whenever time passes; all else is the
product's own code, from `Recording` down to the real `pynvml`. The sensors have a clock of their
own, which runs ahead of the caller's while a slow read goes on: it does not hold the caller up.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from profiler.meters import Meter, OpenMeter, open_meter
from profiler.meters.nvml import NvmlMeter
from profiler.meters.overlap import without_double_counts
from profiler.recording.recorder import Recorder
from profiler.recording.recording import Recording
from profiler.values.findings import Finding
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Scenario, install

LATE_S = 1e-4


class VirtualRecorder(Recorder):
    """A recorder whose samplers take their turns while `pass_time` moves the caller's clock."""

    def __init__(
        self,
        meters: Sequence[OpenMeter],
        *,
        clock: FakeClock,
        sensor_clock: FakeClock,
        wait: bool = False,
    ) -> None:
        super().__init__(meters, clock=sensor_clock, wait=wait)
        self.clock: FakeClock = clock
        self._sensor_clock = sensor_clock
        self._chance = random.Random(0)
        self._due_s = [clock.now_s()] * len(self._samplers)

    def pass_time(self, duration_s: float) -> None:
        end_s = self.clock.now_s() + duration_s
        while self._due_s and min(self._due_s) < end_s and self._sensor_clock.now_s() < end_s:
            turn = self._due_s.index(min(self._due_s))
            late_s = self._chance.expovariate(1 / LATE_S)
            self._take_turn(turn, self._due_s[turn] + late_s)
        self.clock.advance_to(end_s)

    def _take_turn(self, turn: int, instant_s: float) -> None:
        self._sensor_clock.advance_to(max(self._sensor_clock.now_s(), instant_s))
        self._due_s[turn] = self._samplers[turn].step(self._windows.edges_s)

    def _look_first(self) -> None:
        begun_s = self._sensor_clock.now_s()
        super()._look_first()
        self.clock.advance(self._sensor_clock.now_s() - begun_s)  # the caller waits for these reads

    def _launch(self) -> None:
        self._hurry()

    def _hurry(self) -> None:
        super()._hurry()
        for turn, sampler in enumerate(self._samplers):
            if sampler.streaming:
                self._take_turn(turn, self.clock.now_s())

    def _land(self) -> None:
        for sampler in self._samplers:
            sampler.look_now()

    def _pause(self, duration_s: float) -> None:
        self.pass_time(duration_s)


class VirtualRecording(Recording):
    """A recording on a fake clock."""

    def __init__(
        self,
        meters: Sequence[OpenMeter],
        clock: FakeClock,
        sensor_clock: FakeClock,
        *,
        wait: bool = False,
        findings: tuple[Finding, ...] = (),
        journal: Path | None = None,
    ) -> None:
        super().__init__(meters, clock=clock, wait=wait, journal=journal)
        self.clock = clock
        self._sensor_clock = sensor_clock
        self.opening_findings = findings

    def _make_recorder(self, meters: Sequence[OpenMeter]) -> Recorder:
        return VirtualRecorder(
            meters, clock=self.clock, sensor_clock=self._sensor_clock, wait=self._wait
        )

    def sleep(self, duration_s: float) -> None:
        """Let time pass while the sensors are sampled."""
        recorder = self._running()
        assert isinstance(recorder, VirtualRecorder)
        recorder.pass_time(duration_s)


def _settled(opened: Sequence[OpenMeter]) -> list[OpenMeter]:
    """What the meters cannot know of one another, as `open_meters` settles it."""
    channels = [channel for _, own in opened for channel in own]
    settled = {channel.key: channel for channel in without_double_counts(channels)}
    return [(meter, tuple(settled[channel.key] for channel in own)) for meter, own in opened]


MakeMeters = Callable[[FakeClock], Sequence[Meter]]


def no_more_meters(clock: FakeClock) -> Sequence[Meter]:
    return ()


@contextlib.contextmanager
def virtual_recording(
    scenario: Scenario,
    *,
    clock: FakeClock | None = None,
    meters: MakeMeters = no_more_meters,
    wait: bool = False,
) -> Iterator[VirtualRecording]:
    """A running recording on the GPUs of a scenario and on further meters, on a virtual clock.

    `meters` is handed the clock of the sensors.
    """
    clock = clock or FakeClock()
    ahead = FakeClock(clock.now_s())
    with install(scenario, now_s=ahead.now_s, sleep=ahead.sleep):
        opened: list[OpenMeter] = []
        findings: tuple[Finding, ...] = ()
        for meter in (NvmlMeter(environment={}), *meters(ahead)):
            channels, seen = open_meter(meter, clock=ahead)
            findings += seen
            if channels:
                opened.append((meter, channels))
        clock.advance_to(ahead.now_s())
        opened = _settled(opened)
        with VirtualRecording(opened, clock, ahead, wait=wait, findings=findings) as recording:
            yield recording
        for meter, _ in opened:
            meter.close()
