"""Which devices a sum is made of: the outermost ones, as far as the readings bear it out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.trace import Channel

from . import findings as judgement


def contents(channels: Sequence[Channel]) -> dict[str, set[str]]:
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


def outermost(
    energies_j: Mapping[str, Estimate], inside: Mapping[str, Collection[str]]
) -> tuple[list[str], list[Finding]]:
    """The devices to add up, each joule once, and what their readings contradict.

    A device stands for all inside it, unless it shows less than these together: they are added up
    then, since no device draws less than its parts.

    Args:
        energies_j: by device, those that count.
        inside: by device, all that lies inside it.
    """
    findings: list[Finding] = []

    def parts_of(name: str) -> list[str]:
        held = [part for part in inside.get(name, ()) if part in energies_j and part != name]
        direct = [part for part in held if not any(part in inside.get(o, ()) for o in held)]
        parts = [counted for part in direct for counted in parts_of(part)]
        parts = sorted(set(parts))
        if parts and _is_below(energies_j[name], [energies_j[part] for part in parts]):
            parts_j = math.fsum(energies_j[part].point for part in parts)
            findings.append(judgement.below_parts(name, energies_j[name], parts, parts_j))
            return parts
        return [name]

    held = {part for name in energies_j for part in inside.get(name, ()) if part != name}
    counted = {part for name in energies_j if name not in held for part in parts_of(name)}
    return sorted(counted), findings


def _is_below(whole: Estimate, parts: Sequence[Estimate]) -> bool:
    """Whether a whole is below its parts beyond what the sensors may be off."""
    whole_high = whole.point if whole.high is None else whole.high
    parts_low = math.fsum(
        (part.point if part.low is None else part.low) * (1 - (part.systematic or 0.0))
        for part in parts
    )
    return whole_high * (1 + (whole.systematic or 0.0)) < parts_low
