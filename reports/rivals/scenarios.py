"""The same windows of the same load, read by this program and by others side by side.

Nobody knows the truth on real hardware. What comes nearest is the counter's own difference over a
whole scenario, many of its periods long, less what its gaps drew at idle: the sum of the windows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.layers.load_response import CPU_SIDE, SIDE, Load, MatrixProducts
from profiler.machine.carbon import carbon_factors
from profiler.machine.codecarbon_tracker import CodeCarbonTracker, codecarbon_options
from profiler.machine.device import Device
from profiler.measurement.codecarbon import second_opinion
from profiler.meters import close_meters, open_meters
from profiler.recording.recording import record
from profiler.values.estimate import Basis, Estimate, quotient, stated, total

from .readers import COUNTER, OURS, ZEUS, CounterDifference, Ours, Reader, counter_of, zeus_of
from .report import RivalReport, RivalRow

SETTLE_S = 0.5
IDLE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWindow:
    """A window and the idle gap before it, in seconds; `burst_s` of every `period_s` are loaded."""

    gap_s: float
    window_s: float
    burst_s: float | None = None
    period_s: float | None = None


def scenarios(seed: int) -> dict[str, tuple[LoadedWindow, ...]]:
    """By name: one long window, one of bursts, and twenty short ones with gaps."""
    chance = random.Random(seed)
    short = tuple(
        LoadedWindow(gap_s=chance.uniform(0.08, 0.4), window_s=chance.uniform(0.05, 0.3))
        for _ in range(20)
    )
    return {
        "5 s steady": (LoadedWindow(gap_s=1.0, window_s=5.0),),
        "5 s of 30 ms bursts every 80 ms": (
            LoadedWindow(gap_s=1.0, window_s=5.0, burst_s=0.03, period_s=0.08),
        ),
        "20 windows of 50 to 300 ms with gaps": short,
    }


def measure_rivals(
    device: Device,
    seed: int = 0,
    *,
    load: Load | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> RivalReport:
    """Play the scenarios on a device, in about half a minute.

    Args:
        device: what is loaded and read.
        seed: of the lengths of windows and gaps.
        load: keeps it busy; matrix products if not given.
        sleep: waits.
    """
    load = load or MatrixProducts(device, SIDE if device.is_gpu else CPU_SIDE)
    opened = open_meters()
    left_out: dict[str, str] = {}
    tracker = CodeCarbonTracker(
        codecarbon_options(is_wanted=True),
        gpu_identities=[device.identity] if device.identity else [],
        carbon=carbon_factors(),
    )
    try:
        with record(opened.meters) as recording, tracker:
            readers: dict[str, Reader] = {OURS: Ours(recording, device)}
            counter = counter_of(opened.meters, device)
            if counter is None:
                left_out[COUNTER] = "the device has no energy counter"
            else:
                readers[COUNTER] = CounterDifference(*counter)
            zeus = zeus_of(device)
            if isinstance(zeus, str):
                left_out[ZEUS] = zeus
            else:
                readers[ZEUS] = zeus
            stage = _Stage(load, readers, readers.get(COUNTER), sleep)
            with tracker.tracking():
                for name, windows in scenarios(seed).items():
                    stage.play(name, windows)
        opinion, _ = second_opinion(tracker, recording.traces, recording.windows, recording.now_s)
    finally:
        close_meters(opened.meters)
    for finding in tracker.findings:
        left_out.setdefault("CodeCarbon", finding.observed)
    return RivalReport(
        device_name=device.label,
        load=load.text,
        references_j=stage.references_j,
        rows=tuple(stage.rows()),
        codecarbon=opinion,
        left_out=left_out,
    )


class _Stage:
    """Plays scenarios while everybody reads."""

    def __init__(
        self,
        load: Load,
        readers: dict[str, Reader],
        counter: Reader | None,
        sleep: Callable[[float], None],
    ) -> None:
        self._load, self._readers, self._sleep = load, readers, sleep
        self._counter, self._names = counter, dict[str, list[str]]()
        self.references_j: dict[str, Estimate] = {}
        self._idle_w = self._idle()

    def play(self, scenario: str, windows: Sequence[LoadedWindow]) -> None:
        self._sleep(SETTLE_S)
        start_s, loaded_s = time.monotonic(), 0.0
        if self._counter is not None:
            self._counter.begin(scenario)
        for number, window in enumerate(windows):
            self._sleep(window.gap_s)
            name = f"{scenario} #{number}"
            for reader in self._readers.values():
                reader.begin(name)
            begun_s = time.monotonic()
            self._work(window)
            loaded_s += time.monotonic() - begun_s
            for reader in reversed(self._readers.values()):
                reader.end(name)
            self._names.setdefault(scenario, []).append(name)
        self._sleep(SETTLE_S)
        if self._counter is not None:
            self._counter.end(scenario)
            self._refer(scenario, time.monotonic() - start_s - loaded_s)

    def rows(self) -> list[RivalRow]:
        return [
            self._row(scenario, names, method)
            for scenario, names in self._names.items()
            for method in self._readers
        ]

    def _work(self, window: LoadedWindow) -> None:
        if window.burst_s is None or window.period_s is None:
            self._load.launch(window.window_s)
        else:
            start_s = time.monotonic()
            for number in range(round(window.window_s / window.period_s)):
                self._sleep(max(0.0, start_s + number * window.period_s - time.monotonic()))
                self._load.launch(window.burst_s)
        self._load.wait()

    def _idle(self) -> Estimate | None:
        if self._counter is None:
            return None
        self._counter.begin("idle")
        start_s = time.monotonic()
        self._sleep(IDLE_S)
        self._counter.end("idle")
        seen_j = self._counter.energy_j("idle")
        return None if seen_j is None else seen_j.scaled(1 / (time.monotonic() - start_s), "W")

    def _refer(self, scenario: str, idle_s: float) -> None:
        whole_j = None if self._counter is None else self._counter.energy_j(scenario)
        if whole_j is None or self._idle_w is None:
            return
        left_j = whole_j.point - idle_s * self._idle_w.point
        source = f"counter over the whole scenario less {idle_s:.2f} s of idle"
        self.references_j[scenario] = stated(left_j, "J", Basis.MEASURED, source)

    def _row(self, scenario: str, names: Sequence[str], method: str) -> RivalRow:
        energies = tuple(self._readers[method].energy_j(name) for name in names)
        seen = [energy for energy in energies if energy is not None]
        sum_j = total(seen, source=f"sum of {len(seen)} windows by {method}")
        reference = self.references_j.get(scenario)
        is_whole = len(seen) == len(names)
        ratio = None
        if is_whole and sum_j is not None and reference is not None:
            ratio = quotient(sum_j, reference, unit="", source=f"{method} over the reference")
        return RivalRow(
            scenario=scenario,
            method=method,
            energies_j=energies,
            sum_j=sum_j if is_whole else None,
            ratio=ratio,
        )
