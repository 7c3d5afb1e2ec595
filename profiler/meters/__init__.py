"""The sensors. Importing this loads none of them, and no driver library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple, cast

from profiler.errors import SensorError, UsageError
from profiler.interruption import heed_interruption
from profiler.values.findings import Finding
from profiler.values.trace import Channel

from .base import Meter
from .choice import SensorChoice, current_choice
from .clock import Clock, MonotonicClock
from .overlap import is_cpu_read, without_double_counts
from .plausible import ImplausibleError, read_plausible

METERS: tuple[tuple[str, str, str], ...] = (
    ("nvml", "profiler.meters.nvml", "NvmlMeter"),
    ("rapl", "profiler.meters.rapl", "RaplMeter"),
    ("hwmon", "profiler.meters.hwmon", "HwmonMeter"),
    ("codecarbon", "profiler.meters.codecarbon", "CodeCarbonMeter"),
)
"""Name, module and class of each meter, in the order they are opened: estimates come last."""

FALLBACK = "codecarbon"
UNREADABLE = "sensor-unreadable"
COST_READ_COUNT = 3
SLOW_READ_S = 0.02

__all__ = [
    "METERS",
    "Meter",
    "OpenedMeters",
    "SensorChoice",
    "make_meter",
    "open_meter",
    "open_meters",
]


class OpenedMeters(NamedTuple):
    """The meters that have channels, each with them, and what is to be known about the others."""

    meters: list[tuple[Meter, tuple[Channel, ...]]]
    findings: tuple[Finding, ...]


def make_meter(name: str) -> Meter:
    """A meter of this machine, not yet opened.

    Raises `UsageError` for a name that is not in METERS.
    """
    for known, module, class_name in METERS:
        if known == name:
            return cast(Meter, getattr(import_module(module), class_name)())
    known_names = ", ".join(known for known, _, _ in METERS)
    raise UsageError(f"unknown meter {name!r}", hint=f"the meters are {known_names}")


def open_meters(
    names: Iterable[str] | None = None,
    *,
    clock: Clock | None = None,
    made: Mapping[str, Meter] | None = None,
    choice: SensorChoice | None = None,
) -> OpenedMeters:
    """Open every meter that this machine has: quick, silent, and never an exception of a sensor.

    Args:
        names: meters by name; all of them if not given. Without names, CodeCarbon's estimate is
            opened only where no sensor reads the CPU. By name it is opened in any case, as a second
            opinion, and is `uncountable` beside a sensor of the CPU.
        clock: times the reads that probe each channel's cost.
        made: meters by name, not yet opened, that take the place of this machine's own.
        choice: the sensors to use and to leave out, by default those of `using_sensors`. What is
            left out hides nothing: without RAPL the CPU is estimated as if there were none.

    Returns:
        The meters that have channels; sensors that exist but cannot be read are its findings.

    Raises:
        UsageError: for a name that is not in METERS, or a choice that names no sensor.
    """
    choice = choice or current_choice()
    everything = [known for known, _, _ in METERS]
    wanted = everything if names is None else list(names)
    opened: list[tuple[Meter, tuple[Channel, ...]]] = []
    found: list[tuple[str, Channel]] = []
    findings: list[Finding] = []
    for name in wanted:
        if names is None and name == FALLBACK and is_cpu_read(_channels(opened)):
            continue
        meter = (made or {}).get(name) or make_meter(name)
        if not choice.may_take(name):
            continue
        channels, seen = open_meter(meter, clock=clock)
        found += [(name, channel) for channel in channels]
        chosen = tuple(channel for channel in channels if choice.takes(name, channel))
        if chosen or choice.only is None or name in choice.only:
            findings += seen
        if chosen:
            opened.append((meter, chosen))
        else:
            meter.close()
    if wanted == everything:  # of a part of the meters nobody can say what is missing
        try:
            choice.check(everything, found, findings)
        except UsageError:
            close_meters(opened)
            raise
    settled = {channel.key: channel for channel in without_double_counts(_channels(opened))}
    return OpenedMeters(
        [(meter, tuple(settled[channel.key] for channel in own)) for meter, own in opened],
        tuple(findings),
    )


def _channels(opened: Iterable[tuple[Meter, tuple[Channel, ...]]]) -> tuple[Channel, ...]:
    return tuple(channel for _, channels in opened for channel in channels)


def open_meter(
    meter: Meter, *, clock: Clock | None = None
) -> tuple[tuple[Channel, ...], tuple[Finding, ...]]:
    """Open one meter and probe what its reads cost; a meter that cannot be read is a Finding."""
    try:
        channels = meter.open()
    except SensorError as error:
        meter.close()
        return (), (*meter.findings, _unreadable(meter, error.message, error.hint or ""))
    except Exception as error:
        # A driver may raise anything, and somebody's training must not end over a sensor.
        heed_interruption(error)
        meter.close()
        return (), (*meter.findings, _unreadable(meter, f"{type(error).__name__}: {error}", ""))
    timer = clock or MonotonicClock()
    kept: list[Channel] = []
    refused: list[Finding] = []
    for channel in channels:
        try:
            kept.append(_with_read_cost(meter, channel, timer))
        except ImplausibleError as error:
            refused.append(_implausible(error, channel))
    if channels and not kept:
        meter.close()
    return tuple(kept), (*meter.findings, *refused)


def _implausible(error: ImplausibleError, channel: Channel) -> Finding:
    return Finding(
        kind="sensor-implausible",
        observed=f"{error.message}: {channel.source} is not used",
        remedy="",
    )


def _unreadable(meter: Meter, reason: str, remedy: str) -> Finding:
    return Finding(
        kind=UNREADABLE,
        observed=f"the sensors of {meter.name} cannot be read: {reason}",
        remedy=remedy,
    )


def _with_read_cost(meter: Meter, channel: Channel, clock: Clock) -> Channel:
    """The channel with the median cost of a few reads; of one read where that is slow already.

    Raises `ImplausibleError` where no read gave a value that can be meant.
    """
    costs_s: list[float] = []
    refusal: ImplausibleError | None = None
    for _ in range(COST_READ_COUNT):
        start_s = clock.now_s()
        try:
            read_plausible(meter, channel)
        except ImplausibleError as error:
            refusal = error
            continue
        except SensorError:
            continue
        costs_s.append(clock.now_s() - start_s)
        if costs_s[-1] > SLOW_READ_S:
            break
    if refusal is not None and not costs_s:
        raise refusal
    return replace(channel, read_cost_s=sorted(costs_s)[len(costs_s) // 2]) if costs_s else channel


OpenMeter = tuple[Meter, tuple[Channel, ...]]


def close_meters(meters: Sequence[OpenMeter]) -> None:
    """Let go of the sensors; what was recorded from them stays."""
    for meter, _ in meters:
        meter.close()
