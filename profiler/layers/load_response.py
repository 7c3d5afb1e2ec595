"""Loads a GPU by a plan and watches how its sensors follow; part of a calibration."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol

from profiler.errors import SensorError
from profiler.inference.sensor_response import LoadPlan, Polled, infer_response
from profiler.machine.device import Device
from profiler.machine.sensor_probe import probe
from profiler.meters.clock import Clock, MonotonicClock
from profiler.meters.nvml import NvmlMeter
from profiler.meters.nvml_powers import INSTANT, GpuPowers
from profiler.values.sensor_response import SensorResponse
from profiler.values.trace import Channel, ChannelKind

CYCLE_COUNT = 3
STEP_S = 2.5
"""Longer than twice the span of any average that is published (one second)."""
BURST_SHARE, SLIP_SHARE = 0.3, 0.03
BEAT_COUNT = 3
CHUNK_S = 0.05
LEAST_PERIOD_S = 0.01
POLL_S = 1e-3
LEAD_S = 0.2
UNWATCHED_S = 0.02
PERIOD_S = 2.0
SIDE, CPU_SIDE = 4096, 256
COUNTER = "energy counter"

Reads = Mapping[str, Callable[[], float]]


class Load(Protocol):
    """Keeps a device busy."""

    text: str

    def launch(self, seconds: float) -> None:
        """Ask the device for so many seconds of work, without waiting for it."""

    def wait(self) -> None:
        """Block until the device has done all of it."""


class MatrixProducts:
    """Products of square matrices of random numbers, as many as fill a time.

    Args:
        device: what computes them.
        side: of the matrices.
    """

    def __init__(self, device: Device, side: int = SIDE) -> None:
        import torch

        from .operands import random_operand

        self._torch, self._device = torch, device
        self._factor = random_operand(side, side, dtype=torch.bfloat16, device=device.name)
        self._product = torch.empty_like(self._factor)
        self.text = f"matrix products of side {side}, bf16"
        self._one_s = self._time_one()

    def launch(self, seconds: float) -> None:
        with self._torch.inference_mode():
            for _ in range(max(1, round(seconds / self._one_s))):
                self._torch.matmul(self._factor, self._factor, out=self._product)

    def wait(self) -> None:
        self._device.synchronize()

    def _time_one(self) -> float:
        """Seconds of one, once the clocks have risen."""
        self._one_s, count = 1.0, 1
        while True:
            start_s = time.perf_counter()
            self.launch(count)
            self.wait()
            spent_s = time.perf_counter() - start_s
            if spent_s > 0.5:
                return spent_s / count
            count *= 2


def sensor_response(device: Device) -> SensorResponse | None:
    """How the NVIDIA sensors of a device follow a load, in half a minute.

    None for a device that NVML has no energy counter of.
    """
    if not device.name.startswith("cuda"):
        return None
    meter, powers = NvmlMeter(), GpuPowers(device.identity or "")
    try:
        counter = next((c for c in _opened(meter) if _is_counter_of(device, c)), None)
        if counter is None:
            return None
        load = MatrixProducts(device)
        return watch_response(meter, counter, powers.open(), load, MonotonicClock())
    finally:
        powers.close()
        meter.close()


def watch_response(
    meter: NvmlMeter,
    counter: Channel,
    powers: Reads,
    load: Load,
    clock: Clock,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> SensorResponse | None:
    """Load the device in steps and in bursts, and infer how its readings followed.

    Args:
        meter: open.
        counter: a channel of its.
        powers: by name, what reads the watts of the same device.
        load: keeps the device of that counter busy.
        clock: what time it is.
        sleep: waits.
    """
    period_s = probe(meter, counter, clock, PERIOD_S, sleep=sleep).update_period_s
    if period_s is None or period_s < LEAST_PERIOD_S:
        return None
    watch = _Poller({COUNTER: partial(meter.read, counter), **powers}, clock, sleep)
    plan = _play(load, watch, period_s)
    seen = watch.polled()
    return infer_response(seen.pop(COUNTER), seen, plan, instant=INSTANT, period_s=period_s)


class _Poller:
    """Asks every reading in turn until an instant."""

    def __init__(self, reads: Reads, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._reads, self.clock, self._sleep = reads, clock, sleep
        self._seen: dict[str, list[tuple[float, float]]] = {name: [] for name in reads}

    def until(self, end_s: float) -> None:
        while self.clock.now_s() < end_s:
            for name, read in self._reads.items():
                before_s = self.clock.now_s()
                with suppress(SensorError):  # one that fails now is asked again at the next turn
                    value = read()
                    self._seen[name].append(((before_s + self.clock.now_s()) / 2, value))
            self._sleep(max(0.0, min(POLL_S, end_s - self.clock.now_s())))

    def polled(self) -> dict[str, Polled]:
        return {
            name: Polled(time_s=tuple(s for s, _ in seen), value=tuple(v for _, v in seen))
            for name, seen in self._seen.items()
        }


def _play(load: Load, watch: _Poller, period_s: float) -> LoadPlan:
    """Load in steps, then in bursts; returns when that was."""
    clock = watch.clock
    # Steps fall at every phase of the sensor's period in turn: none is early or late for all.
    share = 1 / (2 * CYCLE_COUNT)
    step_s = (math.ceil(STEP_S / period_s) + share) * period_s
    watch.until(clock.now_s() + step_s)
    steps_s = []
    for _ in range(CYCLE_COUNT):
        steps_s.append(clock.now_s())
        _keep_busy(load, watch, step_s)
        steps_s.append(clock.now_s())  # work that took longer than foreseen ends it later
        watch.until(clock.now_s() + step_s)
    steps_s.append(clock.now_s())
    burst_s, burst_period_s = BURST_SHARE * period_s, (1 + SLIP_SHARE) * period_s
    count_a_beat = round(1 / SLIP_SHARE)
    first_s = steps_s[-1] + LEAD_S
    for number in range(BEAT_COUNT * count_a_beat):
        watch.until(first_s + number * burst_period_s)
        load.launch(burst_s)
    end_s = first_s + BEAT_COUNT * count_a_beat * burst_period_s
    watch.until(end_s)
    load.wait()
    return LoadPlan(
        steps_s=tuple(steps_s),
        bursts_s=(first_s, end_s),
        burst_s=burst_s,
        burst_period_s=burst_period_s,
        beat_s=count_a_beat * burst_period_s,
        load=load.text,
    )


def _keep_busy(load: Load, watch: _Poller, seconds: float) -> None:
    """Always one chunk ahead of the device, so that it never waits."""
    start_s, count = watch.clock.now_s(), int(seconds / CHUNK_S)
    load.launch(seconds - (count - 1) * CHUNK_S)
    for number in range(1, count):
        load.launch(CHUNK_S)
        watch.until(start_s + number * CHUNK_S)
    # The rest is waited for, without a look at the sensors: its end is what is to be known.
    watch.until(start_s + seconds - UNWATCHED_S)
    load.wait()


def _is_counter_of(device: Device, channel: Channel) -> bool:
    return channel.kind is ChannelKind.ENERGY and channel.identity == device.identity


def _opened(meter: NvmlMeter) -> tuple[Channel, ...]:
    try:
        return meter.open()
    except SensorError:
        return ()
