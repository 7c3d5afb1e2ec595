"""Rows of claims as sections of a report."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.render import Column, Section, Table
from profiler.values.estimate import Basis, Estimate
from profiler.values.profile import Profile
from profiler.values.units import show, show_short
from reports.claims.rows import Row, build_rows
from reports.claims.study import Claim, ClaimNote, Study
from reports.trainings import TrainedModel

NOT_HERE = "not measured here"
CONTENDED_HERE = "contended"
LONG_COUNT = 1e9
LONG_TABLE = 12


def claims_sections(
    studies: Sequence[Study],
    profiles: Sequence[Profile],
    trained: Sequence[TrainedModel] = (),
) -> tuple[Section, ...]:
    """One section a study: what can be put beside a measurement first, then the rest."""
    return tuple(_section(study, build_rows(study, profiles, trained)) for study in studies)


def _section(study: Study, rows: Sequence[Row]) -> Section:
    notes = list(dict.fromkeys(note for row in rows for note in row.claim.notes))
    compared = [row for row in rows if row.here is not None]
    quoted = [row for row in rows if row.here is None]
    tables = []
    if compared:
        tables.append(_compared(compared, notes))
    if quoted:
        tables.append(_quoted(quoted, notes))
    return Section(
        title=f"Beside the study: {study.title}",
        paragraphs=(
            "Paper is what the study states; here is what was counted or measured in this report; "
            "ratio is here over paper. Where the paper states a range, its ends are carried into "
            "the ratio. The numbers in brackets lead to the remarks below.",
        ),
        tables=tuple(tables),
        notes=tuple(
            f"[{number}] {note.status.value}: {note.text}" for number, note in enumerate(notes, 1)
        ),
    )


def _compared(rows: Sequence[Row], notes: Sequence[ClaimNote]) -> Table:
    columns = (
        Column(label="claim"),
        Column(label="setting here"),
        Column(label="paper", role="number"),
        Column(label="here", role="number"),
        Column(label="ratio", role="number"),
        Column(label="basis", role="basis"),
    )
    cells = tuple(
        (
            _claimed(row.claim, notes),
            row.setting,
            row.claim.text(),
            _shown(row),
            CONTENDED_HERE if row.is_contended else show(row.ratio),
            _basis(row.here),
        )
        for row in rows
    )
    return Table(caption="Paper and here", columns=columns, rows=cells)


def _quoted(rows: Sequence[Row], notes: Sequence[ClaimNote]) -> Table:
    columns = (
        Column(label="claim"),
        Column(label="paper", role="number"),
        Column(label="basis", role="basis"),
        Column(label="here"),
    )
    cells = tuple(
        (
            _claimed(row.claim, notes),
            row.claim.text(),
            "quoted",
            _why_not(row),
        )
        for row in rows
    )
    return Table(
        caption="Quoted from the study, with nothing here beside it",
        columns=columns,
        rows=cells,
        fold=len(cells) > LONG_TABLE,
    )


def _why_not(row: Row) -> str:
    if row.claim.metric is None:
        return row.claim.here
    return CONTENDED_HERE if row.is_contended else NOT_HERE


def _shown(row: Row) -> str:
    """An accuracy in percent, as the papers write it, and a count of billions in short."""
    here = row.shown_here
    if here is not None and here.basis is Basis.COUNTED and here.point >= LONG_COUNT:
        return show_short(here)
    if here is not None and not here.unit and row.claim.unit == "%":
        here = here.scaled(100, "%")
    return show(here)


def _claimed(claim: Claim, notes: Sequence[ClaimNote]) -> str:
    """Such as "resnet18 / lightweight: training (100 epochs) [7]"."""
    about = claim.about if claim.versus is None else f"{claim.about} / {claim.versus}"
    setting = "" if claim.setting is None else f" ({claim.setting})"
    numbers = "".join(f" [{notes.index(note) + 1}]" for note in claim.notes)
    return f"{about}: {claim.label}{setting}{numbers}"


def _basis(estimate: Estimate | None) -> str:
    return "" if estimate is None else estimate.basis.value
