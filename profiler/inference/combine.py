"""Energy of targets over all devices: the best source of each, and a sum without double counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from profiler.values.estimate import Basis, total
from profiler.values.findings import Finding
from profiler.values.trace import Channel, CounterTrace, PowerTrace, Trace, Window

from . import findings as judgement
from .energies import ChannelEnergy, TargetEnergy
from .energy_counter import infer_counter
from .trapezoids import integrate_power


def infer_energies(
    traces: Sequence[Trace],
    targets: Sequence[Sequence[Window]],
    windows: Sequence[Window],
    *,
    now_s: float | None = None,
) -> tuple[TargetEnergy, ...]:
    """Joules of each target: by device, and over all devices with nothing counted twice.

    A device's counter comes first; its power samples stand in, with a finding, where the counter
    cannot tell.

    Args:
        traces: everything that was recorded.
        targets: windows whose energies are summed, one tuple a target.
        windows: all windows of the recording.
        now_s: end of windows that are still open.
    """
    from threadpoolctl import threadpool_limits

    by_device: dict[str, list[Trace]] = {}
    for trace in traces:
        by_device.setdefault(trace.channel.device, []).append(trace)
    # The matrices are small: threads would only wait for each other, and for the user's own.
    with threadpool_limits(1, "blas"):
        columns = {
            device: _infer_device(own, targets, windows, now_s) for device, own in by_device.items()
        }
    channels = [trace.channel for trace in traces]
    return tuple(
        sum_devices({device: column[i] for device, column in columns.items()}, channels)
        for i in range(len(targets))
    )


def _infer_device(
    traces: Sequence[Trace],
    targets: Sequence[Sequence[Window]],
    windows: Sequence[Window],
    now_s: float | None,
) -> tuple[ChannelEnergy, ...]:
    ranked = sorted(traces, key=lambda trace: trace.channel.basis.weakness)
    counters = [trace for trace in ranked if isinstance(trace, CounterTrace)]
    powers = [trace for trace in ranked if isinstance(trace, PowerTrace)]
    best: tuple[ChannelEnergy, ...] = ()
    if counters:
        guard = powers[0] if powers else None
        best = infer_counter(counters[0], targets, windows, power=guard, now_s=now_s)
    for trace in powers:
        if best and all(energy.energy_j is not None for energy in best):
            break
        summed = integrate_power(trace, targets, windows, now_s=now_s)
        best = _fill(best, summed, trace.channel) if best else summed
    return best


def _fill(
    best: tuple[ChannelEnergy, ...], summed: tuple[ChannelEnergy, ...], channel: Channel
) -> tuple[ChannelEnergy, ...]:
    filled = []
    for first, second in zip(best, summed, strict=True):
        if first.energy_j is not None or second.energy_j is None:
            filled.append(first)
            continue
        findings = (*first.findings, judgement.fallback(channel), *second.findings)
        filled.append(
            ChannelEnergy(energy_j=second.energy_j, bracket_j=first.bracket_j, findings=findings)
        )
    return tuple(filled)


def sum_devices(devices: Mapping[str, ChannelEnergy], channels: Sequence[Channel]) -> TargetEnergy:
    """The sum over devices by what their channels say of one another, nothing counted twice.

    Args:
        devices: joules of one target by device.
        channels: all channels of these devices.
    """
    findings: list[Finding] = []
    for device in devices.values():
        findings += [finding for finding in device.findings if finding not in findings]
    countable = {channel.device for channel in channels if channel.uncountable is None}
    inside = _containment(channels)
    seen = {name for name in countable if devices[name].energy_j is not None}
    # A measured total is not diluted by a model's estimate, which stands beside it.
    estimated = {c.device for c in channels if c.basis.weakness > Basis.MEASURED.weakness}
    if seen - estimated and countable & estimated:
        findings.append(judgement.beside(sorted(countable & estimated)))
        countable, seen = countable - estimated, seen - estimated
    held = {part for name in seen for part in inside.get(name, ())}
    counted = sorted(seen - held)
    blind = sorted(name for name in countable - seen - held if not set(inside.get(name, ())) & seen)
    if not counted:
        return TargetEnergy(energy_j=None, devices=devices, findings=tuple(findings))
    if blind:
        findings.append(judgement.incomplete(blind))
        return TargetEnergy(energy_j=None, devices=devices, findings=tuple(findings))
    parts = [energy for name in counted if (energy := devices[name].energy_j) is not None]
    source = " + ".join(_unique(part.source for part in parts))
    return TargetEnergy(
        energy_j=parts[0] if len(parts) == 1 else total(parts, source=source),
        devices=devices,
        findings=tuple(findings),
        counted=tuple(counted),
    )


def _containment(channels: Sequence[Channel]) -> dict[str, set[str]]:
    """Every device inside each device, those inside the inner ones included."""
    inside: dict[str, set[str]] = {}
    for channel in channels:
        inside.setdefault(channel.device, set()).update(channel.contains)
    grew = True
    while grew:
        grew = False
        for parts in inside.values():
            deeper = {name for part in parts for name in inside.get(part, ())} - parts
            grew |= bool(deeper)
            parts |= deeper
    return inside


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
