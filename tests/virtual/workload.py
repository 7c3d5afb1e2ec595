"""Modules that take a known time at a known power, and the counter that sees them.

    power = LoadPower(idle_w=20.0)
    model = nn.Sequential(Load(power, watts=100.0, seconds=2e-3), ...)
    meter = LoadMeter(power, update_period_s=0.02)

The time is slept away on the real clock, or on a virtual one that is handed in. What is drawn is
written down as it happens, so that the meter and the truth agree about every sleep that took longer
than it was asked to.
"""

from __future__ import annotations

import threading
import time
import weakref
from bisect import bisect_right
from collections.abc import Callable, Sequence

import torch
from torch import nn

from profiler.values.trace import Channel, ChannelKind, Reading


class LoadPower:
    """Watts as a step function of a clock, by default CLOCK_MONOTONIC, written by whatever runs."""

    def __init__(
        self,
        idle_w: float,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.idle_w = idle_w
        self.now_s = now_s
        self.sleep = sleep
        self._lock = threading.Lock()
        self._starts_s = [now_s()]
        self._powers_w = [idle_w]
        self._energies_j = [0.0]

    def set(self, power_w: float) -> None:
        with self._lock:
            now_s = self.now_s()
            past_j = (now_s - self._starts_s[-1]) * self._powers_w[-1]
            self._energies_j.append(self._energies_j[-1] + past_j)
            self._starts_s.append(now_s)
            self._powers_w.append(power_w)

    @property
    def now_w(self) -> float:
        return self._powers_w[-1]

    def energy_j(self, instant_s: float) -> float:
        with self._lock:
            index = max(0, bisect_right(self._starts_s, instant_s) - 1)
            beyond_s = instant_s - self._starts_s[index]
            return self._energies_j[index] + beyond_s * self._powers_w[index]


class Load(nn.Module):
    """Hands its input on, after `seconds` at `watts`."""

    def __init__(self, power: LoadPower, *, watts: float, seconds: float) -> None:
        super().__init__()
        # The power is the world's, and no state of the model that is put back between calls.
        self.power = weakref.ref(power)
        self.watts = watts
        self.seconds = seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        power = self.power()
        assert power is not None
        before_w = power.now_w
        power.set(self.watts)
        power.sleep(self.seconds)
        power.set(before_w)
        return x


class LoadMeter:
    """An energy counter over a `LoadPower`."""

    name = "load"
    findings = ()

    def __init__(
        self,
        power: LoadPower,
        *,
        update_period_s: float,
        device: str = "cpu:package-0",
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._power = power
        self._update_period_s = update_period_s
        self._device = device
        self._now_s = now_s

    def open(self) -> tuple[Channel, ...]:
        return (
            Channel(
                device=self._device,
                kind=ChannelKind.ENERGY,
                source="virtual counter",
                update_period_s=self._update_period_s,
                resolution_j=1e-9,
            ),
        )

    def read(self, channel: Channel) -> float:
        period_s = self._update_period_s
        return self._power.energy_j(self._now_s() // period_s * period_s)

    def drain(self, channel: Channel) -> Sequence[Reading]:
        return ()

    def close(self) -> None:
        pass
