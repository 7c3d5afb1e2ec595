"""Energy of targets over all devices: the best source of each, and a sum without double counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from profiler.values.estimate import Basis, total
from profiler.values.findings import Finding
from profiler.values.trace import Channel, CounterTrace, PowerTrace, Trace, Window

from . import findings as judgement
from .containment import contents, outermost
from .energies import ChannelEnergy, TargetEnergy
from .energy_counter import infer_counter
from .question import Question
from .silence import machine_remarks, silent_devices, was_suspended
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
        question = Question(targets, windows, now_s)
        columns = {device: _infer_device(own, question) for device, own in by_device.items()}
    channels = [trace.channel for trace in traces]
    spans = [[closed_span(window, now_s) for window in target] for target in targets]
    start_s = min((start for target in spans for start, _ in target), default=0.0)
    silent = silent_devices(by_device, min([start_s, *(window.start_s for window in windows)]))
    summed = DeviceSum(channels, silent)
    sums = [
        summed.of({device: column[i] for device, column in columns.items()})
        for i in range(len(targets))
    ]
    if not any(was_suspended(trace) for trace in traces):
        return tuple(sums)
    return tuple(
        replace(energy, findings=(*energy.findings, *machine_remarks(traces, target)))
        for energy, target in zip(sums, spans, strict=True)
    )


def _infer_device(traces: Sequence[Trace], question: Question) -> tuple[ChannelEnergy, ...]:
    targets, windows, now_s = question.targets, question.windows, question.now_s
    ranked = sorted(traces, key=lambda trace: trace.channel.basis.weakness)
    counters = [trace for trace in ranked if isinstance(trace, CounterTrace)]
    powers = [trace for trace in ranked if isinstance(trace, PowerTrace)]
    best: tuple[ChannelEnergy, ...] = ()
    if counters:
        guard = powers[0] if powers else None
        best = infer_counter(
            counters[0], targets, windows, power=guard, now_s=now_s, question=question
        )
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


class DeviceSum:
    """Sums over devices by what their channels say of one another, nothing counted twice.

    Args:
        channels: all channels of these devices.
        silent: devices whose sensors showed nothing all the while; a sum is given without them, and
            says so.
    """

    def __init__(self, channels: Sequence[Channel], silent: Collection[str] = ()) -> None:
        self._silent = set(silent)
        self._inside = contents(channels)
        self._countable = {c.device for c in channels if c.uncountable is None}
        self._estimated = {c.device for c in channels if c.basis.weakness > Basis.MEASURED.weakness}

    def of(self, devices: Mapping[str, ChannelEnergy]) -> TargetEnergy:
        """The sum of one target's joules by device."""
        findings: dict[Finding, None] = {}
        for device in devices.values():
            findings.update(dict.fromkeys(device.findings))
        countable = self._countable
        energies_j = {
            name: device.energy_j
            for name, device in devices.items()
            if device.energy_j is not None and name in countable
        }
        # A measured total is not diluted by a model's estimate, which stands beside it.
        estimated = countable & self._estimated
        if estimated and energies_j.keys() - estimated:
            findings[judgement.beside(sorted(estimated))] = None
            countable = countable - estimated
            energies_j = {n: energy for n, energy in energies_j.items() if n not in estimated}
        counted, contradicted = outermost(energies_j, self._inside)
        findings.update(dict.fromkeys(contradicted))
        if not counted:
            return TargetEnergy(energy_j=None, devices=devices, findings=tuple(findings))
        blind = self._blind(countable, energies_j, counted)
        if blind & self._silent:
            findings[judgement.without_silent(sorted(blind & self._silent))] = None
        if blind - self._silent:
            findings[judgement.incomplete(sorted(blind - self._silent))] = None
            return TargetEnergy(energy_j=None, devices=devices, findings=tuple(findings))
        parts = [energies_j[name] for name in counted]
        source = " + ".join(dict.fromkeys(part.source for part in parts))
        return TargetEnergy(
            energy_j=parts[0] if len(parts) == 1 else total(parts, source=source),
            devices=devices,
            findings=tuple(findings),
            counted=tuple(counted),
        )

    def _blind(
        self, countable: set[str], seen: Collection[str], counted: Sequence[str]
    ) -> set[str]:
        """Devices that nothing speaks for: neither they, nor what holds them, nor their parts."""
        if len(seen) == len(countable):
            return set()
        held = {part for name in counted for part in self._inside.get(name, ())}
        return {
            name
            for name in countable.difference(seen, held)
            if not self._inside.get(name, set()).intersection(seen)
        }
