"""A ledger as a person reads it: totals, phases, segments, sources and findings, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.render.citations import Sources
from profiler.render.document import Column, Section, Table
from profiler.render.formats.text import bullet, paragraph, section_blocks
from profiler.values.estimate import Estimate
from profiler.values.findings import in_sentences
from profiler.values.plain_text import few_digits
from profiler.values.units import NOT_SEEN, show, show_count, show_share

from .entries import Entry, LedgerSummary

_NUMBER = "number"


def render_ledger(found: LedgerSummary, name: str) -> str:
    """Print a ledger; ends in a newline.

    Args:
        found: the ledger.
        name: of the run, for the heading.
    """
    sources = _sources_of(found)
    section = Section(
        title=f"energy ledger of {name}",
        tables=(_totals(found, sources), _phases(found), _segments(found, sources)),
    )
    blocks = [
        *section_blocks(section),
        "\n".join(map(paragraph, sources.notes())),
        "\n".join(_findings(found, sources)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _sources_of(found: LedgerSummary) -> Sources:
    """The sensors first: everything else is made of them."""
    parts = [
        energy_j.source
        for segment in found.segments
        for energy_j in segment.devices.values()
        if energy_j is not None
    ]
    return Sources([*parts, found.carbon.intensity_g_per_kwh.source])


def _totals(found: LedgerSummary, sources: Sources) -> Table:
    left = max(found.epochs_planned - len(found.epochs), 0)
    rows = [
        ("all joules (gross)", found.energy_j),
        ("  the same", found.energy_kwh),
        ("PUE", found.carbon.pue),
        ("carbon intensity", found.carbon.intensity_g_per_kwh),
        ("carbon, with PUE", found.carbon_g),
        ("training images per joule", found.images_per_joule),
        ("joules per epoch", found.joules_per_epoch),
    ]
    if left:
        rows.append((f"projected for {found.epochs_planned} epochs", found.projected_j()))
    if found.repeated_j is not None:
        rows.append(("of it epochs done again later", found.repeated_j))
    if found.second_opinion_j is not None:
        rows.append(("second opinion", found.second_opinion_j))
    done = f"{len(found.epochs)} of {found.epochs_planned} epochs in {_time(found.duration_s)}"
    return Table(
        caption=f"{done}, {show_count(found.image_count)} training images; "
        "± and [low, high] are 95 % intervals",
        columns=_columns("quantity", "value:number", "basis", "source"),
        rows=tuple(_cited(label, estimate, sources) for label, estimate in rows),
    )


def _phases(found: LedgerSummary) -> Table:
    rows = []
    for phase, energy_j in found.by_phase.items():
        of_phase = [entry for entry in found.entries if entry.phase == phase]
        rows.append((str(phase), show(energy_j), _share(energy_j, found), *_time_and_power(
            of_phase, energy_j, found
        )))  # fmt: skip
    return Table(
        caption=f"where they went; the phases come to {_closure(found)} of all joules",
        columns=_columns("phase", "joules:number", "share:number", "time:number", "power:number"),
        rows=tuple(rows),
    )


def _segments(found: LedgerSummary, sources: Sources) -> Table:
    several = len({segment.host for segment in found.segments}) > 1
    rows = []
    for segment in found.segments:
        label = f"{segment.number}" + (f", host {segment.host}" if several else "")
        rows.append((label, segment.started_utc, segment.ended, _time(segment.duration_s),
                     *_values(segment.energy_j, sources)))  # fmt: skip
        if len(segment.devices) > 1:
            rows += [
                ("", f"  {device}", "", "", *_values(energy_j, sources))
                for device, energy_j in segment.devices.items()
            ]
    return Table(
        caption="segments: what each process cost, from its start or resumption to its end",
        columns=_columns(
            "segment", "started", "ended", "time:number", "joules:number", "basis", "source"
        ),
        rows=tuple(rows),
    )


def _columns(*labels: str) -> tuple[Column, ...]:
    """Columns by "label" or "label:number"."""
    parts = [label.partition(":") for label in labels]
    return tuple(
        Column(label=label, role="number" if role == _NUMBER else "text")
        for label, _, role in parts
    )


def _cited(label: str, estimate: Estimate | None, sources: Sources) -> tuple[str, ...]:
    return (label, *_values(estimate, sources))


def _values(estimate: Estimate | None, sources: Sources) -> tuple[str, str, str]:
    if estimate is None:
        return (NOT_SEEN, "", "")
    return (show(estimate), estimate.basis.value, sources.cite(estimate))


def _share(energy_j: Estimate | None, found: LedgerSummary) -> str:
    if energy_j is None or found.energy_j is None or found.energy_j.point <= 0:
        return NOT_SEEN
    return show_share(energy_j.point / found.energy_j.point)


def _closure(found: LedgerSummary) -> str:
    """Sum over phases against the whole, which was inferred apart from them."""
    parts_j = [energy_j.point for energy_j in found.by_phase.values() if energy_j is not None]
    if not parts_j or found.energy_j is None or found.energy_j.point <= 0:
        return NOT_SEEN
    return f"{100 * sum(parts_j) / found.energy_j.point:.2f} %"


def _time_and_power(
    entries: Sequence[Entry], energy_j: Estimate | None, found: LedgerSummary
) -> tuple[str, str]:
    """Seconds of a phase on one host, and the power of all hosts together."""
    hosts = len({segment.host for segment in found.segments})
    seconds = sum(entry.duration_s for entry in entries) / hosts
    if energy_j is None or seconds <= 0:
        return _time(seconds), NOT_SEEN
    return _time(seconds), show(energy_j.scaled(1 / seconds, "W"))


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{few_digits(seconds, 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _findings(found: LedgerSummary, sources: Sources) -> list[str]:
    return [
        bullet(in_sentences(sources.shorten(finding.observed), finding.remedy))
        for finding in found.findings
    ]
