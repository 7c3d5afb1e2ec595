"""Energy of targets over all devices: the best source of each, and a sum without double counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from profiler.values.estimate import Basis, total
from profiler.values.findings import Finding
from profiler.values.trace import Channel, CounterTrace, PowerTrace, Trace, Window

from . import findings as judgement
from .containment import contents, outermost
from .energies import ChannelEnergy, TargetEnergy
from .energy_counter import infer_counter
from .silence import machine_remarks, silent_devices
from .timeline import closed_span
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
    spans = [[closed_span(window, now_s) for window in target] for target in targets]
    start_s = min((start for target in spans for start, _ in target), default=0.0)
    silent = silent_devices(by_device, min([start_s, *(window.start_s for window in windows)]))
    sums = (
        sum_devices({device: column[i] for device, column in columns.items()}, channels, silent)
        for i in range(len(targets))
    )
    return tuple(
        replace(energy, findings=(*energy.findings, *machine_remarks(traces, target)))
        for energy, target in zip(sums, spans, strict=True)
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


def sum_devices(
    devices: Mapping[str, ChannelEnergy],
    channels: Sequence[Channel],
    silent: Collection[str] = (),
) -> TargetEnergy:
    """The sum over devices by what their channels say of one another, nothing counted twice.

    Args:
        devices: joules of one target by device.
        channels: all channels of these devices.
        silent: devices whose sensors showed nothing all the while; the sum is given without them,
            and says so.
    """
    findings: list[Finding] = []
    for device in devices.values():
        findings += [finding for finding in device.findings if finding not in findings]
    countable = {channel.device for channel in channels if channel.uncountable is None}
    inside = contents(channels)
    seen = {name for name in countable if devices[name].energy_j is not None}
    # A measured total is not diluted by a model's estimate, which stands beside it.
    estimated = {c.device for c in channels if c.basis.weakness > Basis.MEASURED.weakness}
    if seen - estimated and countable & estimated:
        findings.append(judgement.beside(sorted(countable & estimated)))
        countable, seen = countable - estimated, seen - estimated
    energies_j = {name: energy for name in seen if (energy := devices[name].energy_j) is not None}
    counted, contradicted = outermost(energies_j, inside)
    findings += contradicted
    held = {part for name in counted for part in inside.get(name, ())}
    blind = {name for name in countable - seen - held if not set(inside.get(name, ())) & seen}
    if not counted:
        return TargetEnergy(energy_j=None, devices=devices, findings=tuple(findings))
    if blind & set(silent):
        findings.append(judgement.without_silent(sorted(blind & set(silent))))
    if blind - set(silent):
        findings.append(judgement.incomplete(sorted(blind - set(silent))))
        return TargetEnergy(energy_j=None, devices=devices, findings=tuple(findings))
    parts = [energies_j[name] for name in counted]
    source = " + ".join(_unique(part.source for part in parts))
    return TargetEnergy(
        energy_j=parts[0] if len(parts) == 1 else total(parts, source=source),
        devices=devices,
        findings=tuple(findings),
        counted=tuple(counted),
    )


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
