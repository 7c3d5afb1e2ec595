"""CodeCarbon's account of a whole measurement beside this one, as a table."""

from __future__ import annotations

from profiler.values.codecarbon import CodeCarbonOpinion
from profiler.values.estimate import Estimate
from profiler.values.units import show, show_share

from .citations import Sources
from .document import Column, Table

COLUMNS = (
    Column(label="second opinion"),
    Column(label="CodeCarbon", role="number"),
    Column(label="basis", role="basis"),
    Column(label="source"),
    Column(label="here", role="number"),
    Column(label="basis here", role="basis"),
    Column(label="ratio", role="number"),
)


def codecarbon_table(opinion: CodeCarbonOpinion, sources: Sources) -> Table:
    """Part by part, then the sum and its grams."""
    rows = [
        _row(part.device, part.energy_kwh, sources, part.own_energy_kwh, part.ratio)
        for part in opinion.parts
    ]
    if len(rows) > 1:
        is_shared = all(part.own_energy_kwh is not None for part in opinion.parts)
        ratio = opinion.ratio if is_shared else None
        rows.append(_row("all of these", opinion.energy_kwh, sources, None, ratio))
    rows.append(_row("gCO2e", opinion.emissions_g, sources, None, None))
    span = show(opinion.span_s)
    caption = f"CodeCarbon {opinion.version}'s own tracker over the whole measurement, {span}"
    return Table(caption=caption, columns=COLUMNS, rows=tuple(rows))


def brief_rows(opinion: CodeCarbonOpinion) -> list[tuple[str, Estimate | None]]:
    """What a screen tells of it: label and number; a report has its parts and its own cost."""
    rows: list[tuple[str, Estimate | None]] = [
        (f"CodeCarbon's tracker, whole {show(opinion.span_s)}", opinion.energy_kwh),
        ("  over what was seen here", opinion.ratio),
        ("  its gCO2e", opinion.emissions_g),
    ]
    return [row for row in rows if row[1] is not None]


def cost_note(opinion: CodeCarbonOpinion) -> str:
    """What it looked at, and what that took."""
    return (
        f"CodeCarbon's tracker ran in its mode {opinion.tracking_mode!r}: all that these devices "
        f"drew, for whichever process. Its own process took {show(opinion.cpu_s)} of CPU time "
        f"meanwhile, {show_share(opinion.core_share.point)} of a core, and "
        f"{show(opinion.startup_cpu_s)} to get ready."
    )


def _row(
    label: str,
    theirs: Estimate | None,
    sources: Sources,
    own: Estimate | None,
    ratio: Estimate | None,
) -> tuple[str, ...]:
    return (
        label,
        show(theirs),
        "" if theirs is None else theirs.basis.value,
        "" if theirs is None else sources.cite(theirs),
        "" if own is None else show(own),
        "" if own is None else own.basis.value,
        "" if ratio is None else show(ratio),
    )
