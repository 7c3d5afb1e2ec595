"""A training job on a clock that jumps, on a sensor whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from profiler.meters import OpenMeter
from profiler.meters.synthetic import SyntheticMeter
from tests.virtual.clock import FakeClock
from tests.virtual.recording import VirtualRecording

Steps = Sequence[tuple[float, float]]


class VirtualMachine:
    """Makes recordings of one synthetic counter that follows `steps` (seconds, watts)."""

    def __init__(self, steps: Steps = ((1.0, 100.0),), *, device: str = "synthetic:0") -> None:
        self.clock = FakeClock()
        self._ahead = FakeClock(self.clock.now_s())
        self._meter = SyntheticMeter(steps, clock=self._ahead, phase_s=0.04, device=device)
        self.recordings: list[VirtualRecording] = []

    def record(self) -> VirtualRecording:
        opened: list[OpenMeter] = [(self._meter, self._meter.open())]
        self._ahead.advance_to(max(self._ahead.now_s(), self.clock.now_s()))
        recording = VirtualRecording(opened, self.clock, self._ahead)
        self.recordings.append(recording)
        return recording

    def sleep(self, duration_s: float) -> None:
        """Let time pass while the sensor is sampled."""
        self.recordings[-1].sleep(duration_s)


def never_records() -> VirtualRecording:
    raise AssertionError("this process may open no sensor")


def broken_driver() -> VirtualRecording:
    raise OSError("the driver is gone")


MakeRecording = Callable[[], VirtualRecording]
