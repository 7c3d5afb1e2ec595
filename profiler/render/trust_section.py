"""How far to trust the numbers of a report: what speaks for them and what against, run by run."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.values.estimate import Basis
from profiler.values.profile import Profile
from profiler.values.units import NOT_SEEN, show_share

from .document import Column, Section, Table


def trust_section(profiles: Sequence[Profile], labels: Sequence[str]) -> Section:
    """One row a run: where its joules are from, how often they were seen, what was set aside."""
    columns = (
        Column(label="run"),
        Column(label="basis of the joules", role="basis"),
        Column(label="interval", role="number"),
        Column(label="sensor's own error", role="number", leaves=5),
        Column(label="not measured", role="number", leaves=6),
        Column(label="fresh processes", role="number", leaves=3),
        Column(label="blocks", role="number", leaves=2),
        Column(label="set aside as disturbed", role="number", leaves=4),
        Column(label="ended by", leaves=1),
        Column(label="findings", role="number"),
    )
    rows = tuple(_row(*pair) for pair in zip(profiles, labels, strict=True))
    return Section(
        title="How far to trust it",
        paragraphs=(_verdict(profiles),),
        tables=(Table(caption="What stands behind each run", columns=columns, rows=rows),),
    )


def _verdict(profiles: Sequence[Profile]) -> str:
    weak = [profile for profile in profiles if not _is_measured(profile)]
    if len(weak) == len(profiles):
        first = "No joule here was measured: they follow from time and from assumptions."
    elif weak:
        first = f"The joules of {len(weak)} of {len(profiles)} runs were not measured."
    else:
        first = "All joules were measured by sensors."
    return (
        f"{first} Intervals hold what differs between processes and what the sensor leaves open, "
        "on this machine; another machine of the same kind may differ by more. The sensor's own "
        "error is not inside them; it cancels in ratios of one machine."
    )


def _is_measured(profile: Profile) -> bool:
    return profile.energy_j is not None and profile.energy_j.basis is Basis.MEASURED


def _row(profile: Profile, label: str) -> tuple[str, ...]:
    energy, repetition = profile.energy_j, profile.repetition
    if energy is None:
        told = (NOT_SEEN, "", "", "")
    else:
        width, systematic = energy.relative_half_width, energy.systematic
        told = (
            energy.basis.value,
            "none" if width is None else f"± {show_share(width)}",
            "" if systematic is None else f"± {show_share(systematic)}",
            show_share(energy.estimated_share) if energy.estimated_share else "",
        )
    if repetition is None:
        counts = ("", "", "")
    else:
        disturbed = sum(block.is_disturbed for block in repetition.blocks)
        fresh = repetition.process_count if repetition.is_fresh else 0
        counts = (str(fresh), str(len(repetition.blocks)), str(disturbed))
    return (label, *told, *counts, profile.stopped_by or "", str(len(profile.findings)))
