"""What the estimator hands back: joules of a target, on one device and over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEnergy:
    """Joules of one target on one channel.

    Args:
        energy_j: the value with its 95 % interval; None where the sensor cannot tell.
        bracket_j: bounds that the counter's moves guarantee; the high one is infinite while the
            closing move has not come. None where there is no counter.
        findings: what the reader must know about this number.
    """

    energy_j: Estimate | None
    bracket_j: tuple[float, float] | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEnergy:
    """Joules of one target on all devices.

    Args:
        energy_j: the sum over devices, nothing counted twice; None if no sensor saw it.
        devices: by device name, those left out of the sum included.
        findings: everything said about the devices, and about the sum.
        counted: the devices that the sum is made of.
    """

    energy_j: Estimate | None
    devices: Mapping[str, ChannelEnergy]
    findings: tuple[Finding, ...] = ()
    counted: tuple[str, ...] = ()
