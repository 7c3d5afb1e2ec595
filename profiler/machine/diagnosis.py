"""What this machine can measure, found out by trying: the facts behind `doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from profiler.inference.containment import contents, outermost
from profiler.meters import UNREADABLE, OpenedMeters, OpenMeter, open_meters
from profiler.meters.clock import Clock, MonotonicClock
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import Finding, cpu_not_measured, no_sensor
from profiler.values.plain_text import few_digits
from profiler.values.trace import Channel, ChannelKind

from .allocator import FreedMemory, reuse_memory
from .environment import cpu_name, host_facts
from .sensor_probe import ProbedChannel, probe

BRACKET_SHARE = 0.05
FROZEN_AFTER_PERIODS = 4
VIRTUAL = "a virtual machine is not shown RAPL as a rule: measure on the host itself"
NO_DRIVER = (
    "load the driver of the CPU's counters: sudo modprobe intel_rapl_common intel_rapl_msr, then "
    "see /sys/class/powercap"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorReport:
    """One channel as it was found.

    Args:
        channel: as its meter opened it.
        probed: how it behaved while it was watched.
        watched_s: for how long that was.
    """

    channel: Channel
    probed: ProbedChannel
    watched_s: float

    @property
    def update_period_s(self) -> float | None:
        """As seen, or else as its maker documents it."""
        return self.probed.update_period_s or self.channel.update_period_s

    @property
    def too_briefly(self) -> bool:
        """Whether a counter that gave no power was watched too briefly to be called frozen."""
        moved = self.probed.resolution is not None
        return moved or self.watched_s < FROZEN_AFTER_PERIODS * (self.update_period_s or 0.0)

    @property
    def shortest_window_s(self) -> float | None:
        """Length from which one window alone is bracketed within 5 %, whatever its power does.

        The bracket of a counter is open by up to one period at either end, so that half its width
        is one period's energy: period / length <= 5 %. A power sensor is no better than the longer
        of its period and the span over which it averages.
        """
        period_s = self.update_period_s
        if period_s is None:
            return None
        if self.channel.kind is ChannelKind.POWER:
            period_s = max(period_s, self.channel.averaging_s or 0.0)
        return period_s / BRACKET_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The machine, its memory, its sensors, and what stands in the way of better ones."""

    facts: dict[str, str]
    memory: FreedMemory
    sensors: tuple[SensorReport, ...]
    findings: tuple[Finding, ...]


def diagnose(
    seconds: float, *, opened: OpenedMeters | None = None, clock: Clock | None = None
) -> Diagnosis:
    """Open every sensor and watch each for `seconds`, the meters side by side.

    Best on an idle machine: the mean power is then the idle power.
    """
    opened = opened or open_meters()
    clock = clock or MonotonicClock()
    watched = partial(_watch, clock=clock, seconds=seconds)
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(opened.meters))) as pool:
            reports = list(pool.map(watched, opened.meters))
    except RuntimeError:  # no more threads are allowed
        reports = [watched(pair) for pair in opened.meters]
    sensors = tuple(sensor for report in reports for sensor in report)
    for meter, _ in opened.meters:
        meter.close()
    return Diagnosis(
        facts={"device": cpu_name(), **host_facts()},
        memory=reuse_memory(),
        sensors=sensors,
        findings=(*opened.findings, *_judge(sensors, _why_no_counter(opened.findings))),
    )


def _watch(opened: OpenMeter, *, clock: Clock, seconds: float) -> list[SensorReport]:
    meter, channels = opened
    share_s = seconds / max(1, len(channels))
    return [
        SensorReport(
            channel=channel, probed=probe(meter, channel, clock, share_s), watched_s=share_s
        )
        for channel in channels
    ]


def _why_no_counter(findings: Sequence[Finding]) -> str:
    """What would show the CPU's counters, where an own finding has not told it already."""
    told = [
        f.remedy for f in findings if f.kind == UNREADABLE and "rapl" in f.observed and f.remedy
    ]
    if told:
        return told[0]
    return VIRTUAL if host_facts()["virtual_machine"] == "yes" else NO_DRIVER


def _judge(sensors: Sequence[SensorReport], no_counter: str) -> list[Finding]:
    if not sensors:
        return [no_sensor()]
    findings = []
    if any(sensor.channel.basis is not Basis.MEASURED for sensor in sensors):
        findings.append(cpu_not_measured(no_counter))
    for sensor in sensors:
        channel, probed = sensor.channel, sensor.probed
        if probed.failure_count:
            findings.append(_failing(channel, probed))
        elif channel.kind is ChannelKind.ENERGY and probed.mean_power_w is None:
            findings.append(_briefly(sensor) if sensor.too_briefly else _still(channel, probed))
    return findings + _contradictions(sensors)


def _contradictions(sensors: Sequence[SensorReport]) -> list[Finding]:
    """Sensors that show less power than what lies inside them, as in any sum of their joules."""
    powers = {
        sensor.channel.device: _as_energy(sensor.channel, sensor.probed.mean_power_w)
        for sensor in sensors
        if sensor.probed.mean_power_w is not None and sensor.channel.uncountable is None
    }
    return outermost(powers, contents([sensor.channel for sensor in sensors]))[1]


def _as_energy(channel: Channel, power_w: float) -> Estimate:
    """Joules of one second at this power, give or take a tenth: the sensors took turns."""
    return Estimate(
        point=power_w, low=0.9 * power_w, high=1.1 * power_w, unit="J", confidence=None,
        basis=channel.basis, source=channel.source, systematic=channel.gain_error,
    )  # fmt: skip


def _failing(channel: Channel, probed: ProbedChannel) -> Finding:
    tries = probed.failure_count + probed.read_count
    return Finding(
        kind="sensor-failing",
        observed=f"{probed.failure_count} of {tries} reads of {channel.key} failed",
        remedy="windows over a failed read carry it in their interval; check the driver's log",
    )


def _briefly(sensor: SensorReport) -> Finding:
    return Finding(
        kind="watched-briefly",
        observed=f"{sensor.channel.key} was watched for {few_digits(sensor.watched_s)} s, too "
        "few of its moves to know its power",
        remedy="watch longer, such as `python -m profiler doctor --seconds 10`",
    )


def _still(channel: Channel, probed: ProbedChannel) -> Finding:
    return Finding(
        kind="counter-frozen",
        observed=f"{channel.key} did not move during {probed.read_count} reads",
        remedy="its joules are not used while it stands still; restart the driver",
    )
