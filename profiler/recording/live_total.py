"""Joules so far and watts now, for a live line: what the sensors told last, carried on to now.

No inference: every reading is looked at once, when it is new.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from profiler.inference.combine import DeviceSum
from profiler.inference.energies import ChannelEnergy
from profiler.values.estimate import Estimate
from profiler.values.trace import Channel, CounterTrace, PowerTrace, Trace

from .recorder import Recorder

REFRESH_S = 0.2
RECENT_S = 5.0
SILENCE_S = 5.0
CONFIDENCE = 0.95


@dataclass(slots=True)
class _Gauge:
    """One channel: its joules since its first reading, and those of the last seconds."""

    channel: Channel
    first_s: float | None = None
    offset_j: float = 0.0
    latest_w: float = 0.0
    recent: deque[tuple[float, float]] = field(default_factory=deque)

    def feed(self, trace: Trace) -> None:
        if isinstance(trace, CounterTrace):
            points = _moves(trace, from_start=self.first_s is None)
        else:
            points = self._integrated(trace)
        for time_s, energy_j in points:
            if self.first_s is None:
                self.first_s, self.offset_j = time_s, energy_j
            self.recent.append((time_s, energy_j - self.offset_j))
        while len(self.recent) > 2 and self.recent[1][0] < self.recent[-1][0] - RECENT_S:
            self.recent.popleft()

    def _integrated(self, trace: PowerTrace) -> list[tuple[float, float]]:
        points = []
        time_s, energy_j = self.recent[-1] if self.recent else (math.nan, 0.0)
        for next_s, power_w in zip(trace.time_s, trace.power_w, strict=True):
            if not math.isnan(time_s):
                energy_j += (next_s - time_s) * (self.latest_w + power_w) / 2
            time_s, self.latest_w = next_s, power_w
            points.append((next_s, energy_j))
        return points

    @property
    def seen_s(self) -> float:
        return self.recent[-1][0] if self.recent else -math.inf

    def power_w(self, now_s: float) -> float | None:
        """Mean of the last seconds; None before two readings and after a silence."""
        silence_s = max(SILENCE_S, 3 * (self.channel.update_period_s or 0.0))
        if len(self.recent) < 2 or now_s - self.seen_s > silence_s:
            return None
        (start_s, start_j), (end_s, end_j) = self.recent[0], self.recent[-1]
        return max((end_j - start_j) / (end_s - start_s), 0.0) if end_s > start_s else None

    def energy_j(self, started_s: float, now_s: float) -> Estimate | None:
        """Joules since the start: what was seen, and the last power before and after it."""
        power_w = self.power_w(now_s)
        if power_w is None or self.first_s is None:
            return None
        unseen_s = max(self.first_s - started_s, 0.0) + max(now_s - self.seen_s, 0.0)
        seen_j = self.recent[-1][1]
        return self._estimate(seen_j + power_w * unseen_s, power_w * unseen_s, "J")

    def mean_power_w(self, now_s: float) -> Estimate | None:
        """Power of the last seconds as a number with its basis."""
        power_w = self.power_w(now_s)
        if power_w is None:
            return None
        period_s = self.channel.update_period_s or 0.0
        span_s = self.recent[-1][0] - self.recent[0][0]
        return self._estimate(power_w, power_w * min(period_s / span_s, 1.0), "W")

    def _estimate(self, point: float, half: float, unit: str) -> Estimate:
        return Estimate(
            point=point,
            low=max(point - half, 0.0),
            high=point + half,
            unit=unit,
            confidence=CONFIDENCE,
            basis=self.channel.basis,
            source=f"{self.channel.source}, latest readings",
            systematic=self.channel.gain_error,
        )


def _moves(trace: CounterTrace, *, from_start: bool) -> list[tuple[float, float]]:
    """Moves as points; the first read of all is none, because its value may be a period old."""
    return list(zip(trace.latest_s, trace.energy_j, strict=True))[from_start:]


class RunningTotal:
    """Joules and watts over all devices, by the rules of `profiler.record`.

    Args:
        started_s: since when.
    """

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._looked_s = -math.inf
        self._gauges: dict[str, _Gauge] = {}

    def follow(self, recorder: Recorder) -> RunningTotal:
        """This, with the latest readings of a recorder, which is asked seldom."""
        now_s = recorder.clock.now_s()
        if now_s - self._looked_s >= REFRESH_S:
            self._looked_s = now_s
            self.feed(recorder.traces(self.seen_s))
        return self

    @property
    def seen_s(self) -> Mapping[str, float]:
        """Up to where each channel was read, by its key: only later readings are wanted."""
        return {key: gauge.seen_s for key, gauge in self._gauges.items()}

    def feed(self, traces: Sequence[Trace]) -> None:
        """Take in readings that are new."""
        for trace in traces:
            gauge = self._gauges.setdefault(trace.channel.key, _Gauge(trace.channel))
            gauge.feed(trace)

    def energy_j(self, now_s: float) -> Estimate | None:
        """Joules since the start; None where no sensor tells."""
        found = {k: gauge.energy_j(self._started_s, now_s) for k, gauge in self._gauges.items()}
        return self._summed(found, now_s)

    def power_w(self, now_s: float) -> Estimate | None:
        """Mean power of the last seconds; None where no sensor tells."""
        found = {key: gauge.mean_power_w(now_s) for key, gauge in self._gauges.items()}
        return self._summed(found, now_s)

    def _summed(self, found: Mapping[str, Estimate | None], now_s: float) -> Estimate | None:
        devices: dict[str, ChannelEnergy] = {}
        for key in sorted(found):  # a device's energy counter comes before its power
            device = self._gauges[key].channel.device
            if device not in devices or devices[device].energy_j is None:
                devices[device] = ChannelEnergy(energy_j=found[key], bracket_j=None)
        channels = [gauge.channel for gauge in self._gauges.values()]
        is_early = now_s - self._started_s < SILENCE_S
        spoke = {g.channel.device for g in self._gauges.values() if len(g.recent) > 1}
        silent = set() if is_early else set(devices) - spoke
        return DeviceSum(channels, silent).of(devices).energy_j if devices else None
