"""Time stamps around every call of a module, and what they cost themselves.

         caller ─▶ wrapper ─▶ stamp ─▶ module ─▶ stamp ─▶ wrapper ─▶ caller
                  └ outside ┘ └ inside ┘      └ inside ┘ └ outside ┘

What a stamp costs inside falls on the module that it surrounds, what it costs outside on the
caller. Both are known from an empty module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

import torch
from torch import nn

from .survey import Wrap, intercepted

CALIBRATION_CALLS, CALIBRATION_ROUNDS = 300, 15
GPU_BUSY_CYCLES = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StampCost:
    """Seconds that the two stamps around a call add, inside them and outside."""

    inside_s: float
    outside_s: float

    @property
    def call_s(self) -> float:
        """Seconds that a call of a watched module takes longer."""
        return self.inside_s + self.outside_s


class CallTimeline(Protocol):
    """Where stamps are made: the host's clock, or a GPU's own."""

    def stamp(self) -> Any:
        """Mark this instant."""

    def seconds(self, stamps: list[Any]) -> list[float]:
        """Instants of stamps, once all of them have come to pass."""

    def cost(self) -> StampCost:
        """What two stamps around a call cost."""


def stamping(stamps: list[Any], order: list[int], stamp: Callable[[], Any]) -> Wrap:
    """A wrapper that notes an instant before and after each call, also when it raises.

    Args:
        stamps: takes the instants.
        order: takes the position of each module that is called.
        stamp: marks an instant.
    """
    append, note = stamps.append, order.append

    def wrap(position: int, original: Callable[..., Any]) -> Callable[..., Any]:
        def stamped(*args: Any, **kwargs: Any) -> Any:
            note(position)
            append(stamp())
            try:
                return original(*args, **kwargs)
            finally:
                append(stamp())

        return stamped

    return wrap


class HostTimeline:
    """Stamps of the host's clock, for work that is done when the call returns."""

    def __init__(self, stamp: Callable[[], float] = time.perf_counter) -> None:
        self.stamp = stamp

    def seconds(self, stamps: list[Any]) -> list[float]:
        return stamps

    def cost(self) -> StampCost:
        module = nn.Identity()
        inside_s, outside_s = [], []
        for _ in range(CALIBRATION_ROUNDS):
            bare_s, original_s = self._call_s(module), self._call_s(module._call_impl)
            stamps: list[float] = []
            with intercepted([(0, module)], stamping(stamps, [], self.stamp)):
                stamped_s = self._call_s(module)
            spans_s = [end - start for start, end in zip(stamps[::2], stamps[1::2], strict=True)]
            inside_s.append(median(spans_s) - original_s)
            outside_s.append(stamped_s - bare_s - inside_s[-1])
        return StampCost(inside_s=max(0.0, median(inside_s)), outside_s=max(0.0, median(outside_s)))

    def _call_s(self, call: Callable[..., Any]) -> float:
        start_s = self.stamp()
        for _ in range(CALIBRATION_CALLS):
            call(None)
        return (self.stamp() - start_s) / CALIBRATION_CALLS


class GpuTimeline:
    """Events on a GPU's stream: they mark when the device gets there, not when it is asked to."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._stream = torch.cuda.current_stream(self._device)

    def stamp(self) -> Any:
        event = torch.cuda.Event(enable_timing=True)
        event.record(self._stream)
        return event

    def seconds(self, stamps: list[Any]) -> list[float]:
        torch.cuda.synchronize(self._device)
        first = stamps[0]
        return [first.elapsed_time(event) / 1e3 for event in stamps]

    def cost(self) -> StampCost:
        """Distance of events behind one another on a stream that always has work waiting.

        Where the device waits for the host instead, an event costs more than this: the closure then
        shows it.
        """
        gaps = []
        with torch.cuda.device(self._device):
            for _ in range(CALIBRATION_ROUNDS):
                torch.cuda._sleep(GPU_BUSY_CYCLES)
                instants_s = self.seconds([self.stamp() for _ in range(CALIBRATION_CALLS)])
                gaps.append((instants_s[-1] - instants_s[0]) / (len(instants_s) - 1))
        event_s = median(gaps)
        return StampCost(inside_s=event_s, outside_s=event_s)
