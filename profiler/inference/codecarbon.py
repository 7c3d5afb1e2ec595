"""CodeCarbon's account of a span beside this measurement's, device by device: like with like."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.values.codecarbon import (
    CPU,
    GPU,
    RAM,
    CodeCarbonOpinion,
    CodeCarbonPart,
    TrackerReading,
)
from profiler.values.estimate import Basis, Estimate, quotient, stated, total
from profiler.values.findings import Finding, no_second_opinion
from profiler.values.plain_text import few_digits
from profiler.values.quantities import JOULES_PER_KWH
from profiler.values.trace import Channel, Window

from .combine import DeviceSum
from .energies import TargetEnergy

AGREEMENT = 0.1
"""Relative difference from which on two accounts of one span disagree, beyond our interval."""
EDGES_S = 0.2
"""CodeCarbon takes a counter as it stands: at each edge up to an update (100 ms on a GPU) old."""
_MEASURED = Basis.MEASURED.weakness
_FAMILIES = {CPU: ("cpu",), GPU: ("gpu",), RAM: ("ram", "dram")}


def span_of(reading: TrackerReading) -> Window:
    """The span of a reading, for which `energy` of `opinion_of` is to be inferred."""
    return Window(name="codecarbon", start_s=reading.start_s, end_s=reading.end_s)


def opinion_of(
    reading: TrackerReading, energy: TargetEnergy, channels: Sequence[Channel]
) -> tuple[CodeCarbonOpinion, tuple[Finding, ...]]:
    """Both accounts of one span, and where they disagree.

    Args:
        reading: CodeCarbon's.
        energy: what this measurement infers for `span_of(reading)`, by device.
        channels: of that recording.
    """
    seconds = reading.end_s - reading.start_s
    parts = tuple(
        _part(device, energy_kwh, _own_kwh(device, reading, energy, channels))
        for device, energy_kwh in sorted(reading.parts.items())
    )
    name = f"CodeCarbon {reading.version}'s tracker"
    opinion = CodeCarbonOpinion(
        version=reading.version,
        tracking_mode=reading.tracking_mode,
        span_s=stated(seconds, "s", Basis.MEASURED, "monotonic clock"),
        energy_kwh=total(reading.parts.values(), source=f"{name}: {' + '.join(reading.parts)}"),
        emissions_g=reading.emissions_g,
        parts=parts,
        ratio=_whole_ratio(parts),
        cpu_s=reading.cpu_s,
        core_share=stated(
            reading.cpu_s.point / seconds, "", Basis.MEASURED, f"{reading.cpu_s.source}, over time"
        ),
        startup_cpu_s=reading.startup_cpu_s,
    )
    modelled = [part.device for part in parts if _is_one_model(part)]
    findings = [_differs(part, seconds) for part in parts if _is_apart(part, seconds)]
    if modelled:
        # Where any device was measured, that one is not what is meant.
        is_all = energy.energy_j is None or energy.energy_j.basis.weakness > _MEASURED
        findings.insert(0, no_second_opinion(() if is_all else modelled))
    return opinion, tuple(findings)


def _part(device: str, energy_kwh: Estimate, own_kwh: Estimate | None) -> CodeCarbonPart:
    return CodeCarbonPart(
        device=device,
        energy_kwh=energy_kwh,
        own_energy_kwh=own_kwh,
        ratio=None if own_kwh is None else _ratio(energy_kwh, own_kwh),
    )


def _ratio(theirs: Estimate, own: Estimate) -> Estimate | None:
    return quotient(theirs, own, unit="x", source=f"{theirs.source} / {own.source}")


def _whole_ratio(parts: Sequence[CodeCarbonPart]) -> Estimate | None:
    """Over the parts that both have: a device that one of them misses is no disagreement."""
    shared = [(p.energy_kwh, p.own_energy_kwh) for p in parts if p.own_energy_kwh is not None]
    theirs = total((pair[0] for pair in shared), source="CodeCarbon's tracker")
    own = total((pair[1] for pair in shared), source="this measurement")
    return None if theirs is None or own is None else _ratio(theirs, own)


def _own_kwh(
    device: str, reading: TrackerReading, energy: TargetEnergy, channels: Sequence[Channel]
) -> Estimate | None:
    """What was inferred here for the same devices, nothing counted twice."""
    alike = [channel for channel in channels if _is_of(channel, device, reading)]
    names = {channel.device for channel in alike}
    own = DeviceSum(alike).of({name: energy.devices[name] for name in names}).energy_j
    return None if own is None or own.point <= 0 else own.scaled(1 / JOULES_PER_KWH, "kWh")


def _is_of(channel: Channel, device: str, reading: TrackerReading) -> bool:
    family = channel.device.partition(":")[0].partition("/")[0]
    if family not in _FAMILIES.get(device, ()):
        return False
    return device != GPU or channel.identity in reading.gpu_identities


def _is_one_model(part: CodeCarbonPart) -> bool:
    """Whether ours is CodeCarbon's model as well, applied here for want of a sensor."""
    own = part.own_energy_kwh
    return own is not None and own.basis.weakness > _MEASURED


def _is_apart(part: CodeCarbonPart, seconds: float) -> bool:
    """Whether CodeCarbon's value lies beyond our interval, gain error and its edges included."""
    own, theirs = part.own_energy_kwh, part.energy_kwh
    if own is None:
        return False
    gain = own.systematic or 0.0
    low = own.point if own.low is None else own.low
    high = own.point if own.high is None else own.high
    inside = low * (1 - gain) <= theirs.point <= high * (1 + gain)
    most = 1 + AGREEMENT + EDGES_S / seconds
    return not inside and not 1 / most <= theirs.point / own.point <= most


def _differs(part: CodeCarbonPart, seconds: float) -> Finding:
    own, theirs = part.own_energy_kwh, part.energy_kwh
    assert own is not None
    if _is_one_model(part):
        remedy = "both are CodeCarbon's model, which looked at other moments: neither is a sensor"
    elif theirs.basis is Basis.MEASURED:
        remedy = (
            "both read a sensor: see with `python -m profiler doctor` which devices ours covers"
        )
    else:
        remedy = "go by the sensor: CodeCarbon read none here, and multiplied a rated power"
    return Finding(
        kind="codecarbon-differs",
        observed=f"CodeCarbon puts {part.device} at {few_digits(theirs.point / own.point)} times "
        f"what was {own.basis.value} here over the same {seconds:.1f} s ({theirs.source}; here: "
        f"{own.source})",
        remedy=remedy,
    )
