"""WindowEnergy: what the windows of one name drew, as a person reads it and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.plain_text import few_digits
from profiler.values.trace import Window

if TYPE_CHECKING:
    import pandas

    from profiler.inference import ChannelEnergy, TargetEnergy


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowEnergy:
    """What the windows of one name drew together.

    Args:
        name: the name they were opened under.
        count: how many windows of that name there are.
        duration_s: their lengths added up.
        energy_j: joules over all devices, nothing counted twice; None when no sensor saw them.
            Where any device is measured, those that are only estimated stand beside the total.
        channels: the same, device by device ("gpu:0", "cpu:package-0", ...).
        findings: what to know before trusting these numbers.
    """

    name: str
    count: int
    duration_s: float
    energy_j: Estimate | None
    channels: Mapping[str, ChannelEnergy]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        drawn = "no sensor saw its energy" if self.energy_j is None else str(self.energy_j)
        return f"{self.name}: {drawn} in {few_digits(self.duration_s, 3)} s"

    @property
    def power_w(self) -> Estimate | None:
        """Mean power over the windows."""
        if self.energy_j is None or self.duration_s <= 0:
            return None
        return self.energy_j.scaled(1 / self.duration_s, "W")


def energy_of(
    name: str,
    target: Sequence[Window],
    energy: TargetEnergy,
    now_s: float,
    findings: Iterable[Finding],
) -> WindowEnergy:
    """The joules inferred for the windows of one name; an open one lasts until now."""
    ends_s = [now_s if window.end_s is None else window.end_s for window in target]
    spans_s = [end_s - window.start_s for window, end_s in zip(target, ends_s, strict=True)]
    return WindowEnergy(
        name=name,
        count=len(target),
        duration_s=sum(spans_s),
        energy_j=energy.energy_j,
        channels=energy.devices,
        findings=tuple(dict.fromkeys(findings)),
    )


def windows_frame(energies: Iterable[WindowEnergy]) -> pandas.DataFrame:
    """One row a name; NaN where no sensor saw its joules."""
    import pandas

    rows = []
    for energy in energies:
        seen = energy.energy_j
        rows.append(
            {
                "window": energy.name,
                "count": energy.count,
                "duration_s": energy.duration_s,
                "energy_j": None if seen is None else seen.point,
                "energy_low_j": None if seen is None else seen.low,
                "energy_high_j": None if seen is None else seen.high,
                "basis": None if seen is None else seen.basis.value,
                "source": None if seen is None else seen.source,
            }
        )
    return pandas.DataFrame(rows)
