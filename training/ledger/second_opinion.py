"""CodeCarbon's model of the same time, beside the sensors: what it covers, and what it leaves out.

CodeCarbon models the CPU (load x rated power) and the memory (an assumed power). For a GPU it reads
the same NVML counter, so that it is no second opinion on one.
"""

from __future__ import annotations

from collections.abc import Sequence

from profiler.estimate import Basis, Estimate, total
from profiler.findings import Finding
from profiler.inference.energies import TargetEnergy
from profiler.trace import Channel

MODELLED = ("cpu", "ram")
"""The devices that the model knows."""


def second_opinion(energy: TargetEnergy, channels: Sequence[Channel]) -> Estimate | None:
    """Joules by the model; None where it did not run, or where the ledger is the model itself."""
    modelled = _modelled(channels)
    if not modelled or modelled & set(energy.counted):
        return None
    found = [energy.devices[device].energy_j for device in MODELLED if device in modelled]
    parts = [energy_j for energy_j in found if energy_j is not None]
    if len(parts) < len(found):
        return None
    beside = ", ".join(energy.counted) or "nothing"
    sources = " + ".join(part.source for part in parts)
    return total(
        parts, source=f"{sources}; covers CPU and memory alone, beside what {beside} measured"
    )


def why_none(energy: TargetEnergy, channels: Sequence[Channel]) -> Finding | None:
    """Why there is no second opinion, where that needs saying."""
    if not _modelled(channels) & set(energy.counted):
        return None
    return Finding(
        kind="no-second-opinion",
        observed="no sensor measured the joules: they are CodeCarbon's model already, and nothing "
        "independent stands beside them",
        remedy="run `python -m profiler doctor` to see which sensor is missing and what it needs",
    )


def _modelled(channels: Sequence[Channel]) -> set[str]:
    return {
        channel.device
        for channel in channels
        if channel.device in MODELLED and channel.basis.weakness > Basis.MEASURED.weakness
    }
