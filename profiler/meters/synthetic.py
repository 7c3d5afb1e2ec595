"""A meter whose truth is known: for tests, demonstrations, and a first look without hardware."""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from profiler.errors import SensorError
from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind, Reading

from .base import unknown_channel
from .clock import Clock, MonotonicClock

PowerScript = Callable[[float], float] | Sequence[tuple[float, float]]
INTEGRATION_STEP_S = 1e-3


class SyntheticMeter:
    """An energy counter, and if wanted a power sensor, that follow a given power exactly.

    Args:
        power_w: watts as a function of the seconds since the meter was made (integrated with
            trapezoids of 1 ms), or steps (duration_s, watts), the last of which holds for ever
            (integrated exactly).
        update_period_s: how often the sensors' values move.
        phase_s: seconds from the making to the first move.
        clock: where the time comes from.
        device: what the channels are of.
        with_power: whether there is a power channel beside the counter.
        wrap_j: energy at which the counter starts again from 0.
        read_cost_s: how long a read takes, slept away.
        sleep: how that is slept; a fake clock's in tests.
    """

    name = "synthetic"

    def __init__(
        self,
        power_w: PowerScript = ((1.0, 100.0),),
        *,
        update_period_s: float = 0.1,
        phase_s: float = 0.0,
        clock: Clock | None = None,
        device: str = "synthetic:0",
        with_power: bool = False,
        wrap_j: float | None = None,
        read_cost_s: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if update_period_s <= 0:
            raise SensorError(f"an update period is positive, not {update_period_s} s")
        self.findings: tuple[Finding, ...] = ()
        self._truth = _Integrated(power_w) if callable(power_w) else _Steps(power_w)
        self._update_period_s = update_period_s
        self._phase_s = phase_s
        self._clock = clock or MonotonicClock()
        self._start_s = self._clock.now_s()
        self._device = device
        self._with_power = with_power
        self._wrap_j = wrap_j
        self._read_cost_s = read_cost_s
        self._sleep = sleep
        self._keys: frozenset[str] = frozenset()

    def open(self) -> tuple[Channel, ...]:
        counter = Channel(
            device=self._device,
            kind=ChannelKind.ENERGY,
            source="synthetic counter, scripted power",
            update_period_s=self._update_period_s,
            resolution_j=1e-9,
            wrap_j=self._wrap_j,
        )
        power = Channel(
            device=self._device,
            kind=ChannelKind.POWER,
            source="synthetic power, scripted",
            update_period_s=self._update_period_s,
            averaging_s=0.0,
        )
        channels = (counter, power) if self._with_power else (counter,)
        self._keys = frozenset(channel.key for channel in channels)
        return channels

    def read(self, channel: Channel) -> float:
        if channel.key not in self._keys:
            raise unknown_channel(self.name, channel)
        if self._read_cost_s:
            self._sleep(self._read_cost_s)
        elapsed_s = self._clock.now_s() - self._start_s - self._phase_s
        move_s = self._phase_s + math.floor(elapsed_s / self._update_period_s) * (
            self._update_period_s
        )
        if channel.kind is ChannelKind.POWER:
            return self._truth.power_w(max(0.0, move_s))
        energy_j = self._truth.energy_j(max(0.0, move_s))
        return energy_j if self._wrap_j is None else energy_j % self._wrap_j

    def drain(self, channel: Channel) -> Sequence[Reading]:
        return ()

    def close(self) -> None:
        self._keys = frozenset()

    def energy_between_j(self, start_s: float, end_s: float) -> float:
        """The truth: joules between two instants of the clock since the meter was made."""
        start_j = self._truth.energy_j(start_s - self._start_s)
        return self._truth.energy_j(end_s - self._start_s) - start_j


class _Steps:
    """Power in steps, with its exact integral."""

    def __init__(self, steps: Sequence[tuple[float, float]]) -> None:
        if not steps or any(duration_s <= 0 for duration_s, _ in steps):
            raise SensorError("a script needs steps of positive duration")
        self._powers_w = [power_w for _, power_w in steps]
        self._edges_s = list(accumulate((duration_s for duration_s, _ in steps), initial=0.0))
        self._energies_j = list(accumulate((s * w for s, w in steps), initial=0.0))

    def _index(self, elapsed_s: float) -> int:
        return min(bisect_right(self._edges_s, elapsed_s) - 1, len(self._powers_w) - 1)

    def power_w(self, elapsed_s: float) -> float:
        return self._powers_w[self._index(elapsed_s)]

    def energy_j(self, elapsed_s: float) -> float:
        index = self._index(elapsed_s)
        beyond_s = elapsed_s - self._edges_s[index]
        return self._energies_j[index] + beyond_s * self._powers_w[index]


class _Integrated:
    """Power as a function, with its integral kept up to the last instant asked for."""

    def __init__(self, function: Callable[[float], float]) -> None:
        self.power_w = function
        self._energies_j = [0.0]
        self._lock = threading.Lock()

    def energy_j(self, elapsed_s: float) -> float:
        whole = int(elapsed_s / INTEGRATION_STEP_S)
        with self._lock:
            for last in range(len(self._energies_j) - 1, whole):
                start_s, end_s = last * INTEGRATION_STEP_S, (last + 1) * INTEGRATION_STEP_S
                self._energies_j.append(self._energies_j[-1] + self._trapezoid(start_s, end_s))
        return self._energies_j[whole] + self._trapezoid(whole * INTEGRATION_STEP_S, elapsed_s)

    def _trapezoid(self, start_s: float, end_s: float) -> float:
        return (end_s - start_s) * (self.power_w(start_s) + self.power_w(end_s)) / 2
