"""Measures what a device does at its best, and remembers it under the XDG cache folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from torch import nn

from profiler.inference import infer_energies
from profiler.inference.call_cost import traces_of_device
from profiler.machine.device import Device
from profiler.machine.environment import describe
from profiler.meters import OpenMeter, open_meters
from profiler.meters.clock import MonotonicClock
from profiler.recording.recorder import Recorder
from profiler.values.codec import decode, encode, parse
from profiler.values.estimate import Basis, Estimate
from profiler.values.hardware import FLOPS_A_MAC, CopyRate, HardwareBest
from profiler.workload.prepared import DTYPES

from .operands import random_operand

CALIBRATION_S = 6.0
CPU_SIDES, GPU_SIDES = (256, 512, 1024), (2048, 4096, 8192)
CPU_FOOTPRINTS = (1 << 18, 1 << 21, 1 << 24, 1 << 28)
GPU_FOOTPRINTS = (1 << 23, 1 << 26, 1 << 30)
FEWEST_BLOCKS = 3
IDLE, COPY = "idle", "copy"


def hardware_best(
    device: Device,
    *,
    seconds: float = CALIBRATION_S,
    meters: Sequence[OpenMeter] | None = None,
    refresh: bool = False,
    cache: Path | None = None,
) -> HardwareBest:
    """The device's best from the cache; measured first where it is not there yet.

    Args:
        device: to calibrate.
        seconds: budget of a calibration; one shorter than CALIBRATION_S is not kept.
        meters: opened meters; by default every sensor that this process may see. What somebody's
            own meters saw is not kept.
        refresh: measure again, whatever the cache holds.
        cache: folder of the cache; by default `wattprof` under XDG_CACHE_HOME.
    """
    fingerprint = describe(device.label).fingerprint
    folder = cache or _cache_folder()
    path = folder / f"hardware-{fingerprint}-{torch.get_num_threads()}-threads.json"
    known = None if refresh else _read(path)
    if known is not None:
        return known
    best = calibrate(device, fingerprint, seconds=seconds, meters=meters)
    if seconds >= CALIBRATION_S and meters is None:
        _write(path, best)
    return best


def calibrate(
    device: Device,
    fingerprint: str,
    *,
    seconds: float = CALIBRATION_S,
    meters: Sequence[OpenMeter] | None = None,
) -> HardwareBest:
    """Measure matrix products, copies, empty calls and, where a sensor sees them, their joules."""
    opened = open_meters().meters if meters is None else meters
    recorder = Recorder(opened, clock=MonotonicClock()).start()
    try:
        with torch.inference_mode():
            bench = _Bench(device, recorder, seconds)
            flop_rates = {name: rate for name in DTYPES if (rate := bench.flop_rate(name))}
            copy_rates = bench.copy_rates()
            empty_call_s = bench.empty_call_s()
            bench.idle()
    finally:
        recorder.stop()
    powers_w = _powers(recorder, device)
    memory = copy_rates[-1].rate
    copy_w = powers_w.get(COPY)
    return HardwareBest(
        device_name=device.label,
        fingerprint=fingerprint,
        created_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        threads=torch.get_num_threads(),
        flop_rates=flop_rates,
        copy_rates=copy_rates,
        empty_call_s=empty_call_s,
        flop_energies_j={
            name: powers_w[name].scaled(1 / rate.point, "J")
            for name, rate in flop_rates.items()
            if name in powers_w
        },
        byte_energy_j=None if copy_w is None else copy_w.scaled(1 / memory.point, "J"),
        idle_power_w=powers_w.get(IDLE),
    )


class _Bench:
    """Runs the loads of a calibration, each inside a window of its name."""

    def __init__(self, device: Device, recorder: Recorder, seconds: float) -> None:
        self._device = device
        self._recorder = recorder
        sides = GPU_SIDES if device.is_gpu else CPU_SIDES
        footprints = GPU_FOOTPRINTS if device.is_gpu else CPU_FOOTPRINTS
        self._sides, self._footprints = sides, footprints
        self._share_s = seconds / (len(DTYPES) + 3)

    def flop_rate(self, dtype: str) -> Estimate | None:
        """FLOP/s of the quickest matrix product; None where the device cannot do it in time."""
        best: Estimate | None = None
        for side in self._sides:
            flop_count = FLOPS_A_MAC * side**3
            if best is not None and flop_count / best.point > self._share_s / 10:
                break
            try:
                factor = random_operand(side, side, dtype=DTYPES[dtype], device=self._device.name)
                factor @ factor
            except RuntimeError:  # no kernel for this dtype, or no memory for this size
                break
            with self._recorder.window(dtype):
                rate = self._rate(
                    partial(torch.matmul, factor, factor),
                    flop_count,
                    self._share_s / len(self._sides),
                    "FLOP/s",
                    f"matrix product of side {side:,}",
                )
            best = rate if best is None or rate.point > best.point else best
        return best

    def copy_rates(self) -> tuple[CopyRate, ...]:
        """Bytes/s of copies, from caches to memory."""
        rates = []
        for footprint in self._footprints:
            half = footprint // 2
            source = random_operand(half, dtype=torch.uint8, device=self._device.name)
            target = torch.empty_like(source)
            is_memory = footprint == self._footprints[-1]
            with self._recorder.window(COPY if is_memory else f"{COPY} {footprint}"):
                rate = self._rate(
                    partial(target.copy_, source),
                    footprint,
                    self._share_s * (0.6 if is_memory else 0.15),
                    "B/s",
                    f"copy over {footprint:,} B",
                )
            rates.append(CopyRate(footprint_bytes=footprint, rate=rate))
        return tuple(rates)

    def empty_call_s(self) -> Estimate:
        """Seconds of a module's call that has nothing to do but one operator."""
        module = nn.ReLU()
        one = torch.ones(1, device=self._device.name)
        rate = self._rate(lambda: module(one), 1, self._share_s / 2, "call/s", "")
        low, high = rate.low or rate.point, rate.high or rate.point
        return Estimate(
            point=1 / rate.point, low=1 / high, high=1 / low, unit="s", confidence=0.95,
            basis=Basis.MEASURED, source="a module with one operator on one element",
        )  # fmt: skip

    def idle(self) -> None:
        """Nothing, with the context open."""
        self._device.synchronize()
        with self._recorder.window(IDLE):
            time.sleep(self._share_s / 2)

    def _rate(
        self, work: Callable[[], object], amount: float, seconds: float, unit: str, source: str
    ) -> Estimate:
        """Amount per second: the best block, with the median block as the lower end."""
        work()
        self._device.synchronize()
        start_s = time.perf_counter()
        work()
        self._device.synchronize()
        once_s = max(time.perf_counter() - start_s, 1e-7)
        count = max(1, min(100_000, round(seconds / 10 / once_s)))
        rates: list[float] = []
        end_s = time.perf_counter() + seconds
        while len(rates) < FEWEST_BLOCKS or time.perf_counter() < end_s:
            start_s = time.perf_counter()
            for _ in range(count):
                work()
            self._device.synchronize()
            rates.append(amount * count / (time.perf_counter() - start_s))
        rates.sort()
        return Estimate(
            point=rates[-1], low=rates[len(rates) // 2], high=rates[-1], unit=unit, confidence=0.95,
            basis=Basis.MEASURED, source=f"{source}, best of {len(rates)} blocks",
        )  # fmt: skip


def _powers(recorder: Recorder, device: Device) -> dict[str, Estimate]:
    """Mean watts of each load; those that no sensor measured are missing."""
    windows = recorder.windows()
    names = list(dict.fromkeys(window.name for window in windows))
    targets = [[window for window in windows if window.name == name] for name in names]
    traces, _ = traces_of_device(recorder.traces(), device.name, device.identity)
    energies = infer_energies(traces, targets, windows, now_s=recorder.now_s)
    powers_w = {}
    for name, target, energy in zip(names, targets, energies, strict=True):
        duration_s = sum(window.duration_s or 0.0 for window in target)
        seen = energy.energy_j
        if seen is not None and seen.basis is Basis.MEASURED and duration_s > 0:
            powers_w[name] = seen.scaled(1 / duration_s, "W")
    return powers_w


def _cache_folder() -> Path:
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".cache") / "wattprof"


def _read(path: Path) -> HardwareBest | None:
    """What an earlier calibration left; None where there is none that can be read."""
    try:
        return decode(parse(path.read_bytes()), HardwareBest)
    except (OSError, ValueError):  # FormError is one
        return None


def _write(path: Path, best: HardwareBest) -> None:
    """Keep a calibration; a folder that cannot be written only costs the next one its time."""
    text = json.dumps(encode(best), allow_nan=False, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.partial")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError:
        return
