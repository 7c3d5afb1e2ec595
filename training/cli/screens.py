"""The text that `train` and `evaluate` print of their results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.render.citations import Sources
from profiler.render.codecarbon_table import brief_rows
from profiler.render.document import Column, Section, Table
from profiler.render.formats.text import bullet, paragraph, section_blocks, table_text
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.findings import Finding, in_sentences
from profiler.values.plain_text import clean
from profiler.values.units import NOT_SEEN, show, show_count, show_number, show_share
from training.progress.words import as_percent, epochs, percent
from training.result import STOPPED_BY_EPOCHS, STOPPED_BY_TARGET

if TYPE_CHECKING:
    from profiler.ledger import EpochNote, LedgerSummary
    from training.evaluation.evaluation import Evaluation
    from training.result import TrainingResult

Row = tuple[str, ...]

_MOST_EPOCHS = 20
_INTERVALS = "± and [low, high] are 95 % intervals"
_ENDINGS = {
    STOPPED_BY_EPOCHS: "trained to the last epoch",
    STOPPED_BY_TARGET: "stopped at the accuracy asked for",
}
_COLUMNS = (
    Column(label="quantity"),
    Column(label="value", role="number"),
    Column(label="basis", role="basis"),
    Column(label="source"),
)


def render_results(outcomes: Sequence[TrainingResult]) -> str:
    """Print finished trainings for a terminal; ends in a newline."""
    return "\n".join(_render_result(outcome) for outcome in outcomes)


def render_epochs(summary: LedgerSummary) -> str:
    """Print what each epoch came to and cost, of a long run every few epochs; "" before the first.

    Ends in a newline.
    """
    notes = summary.epochs
    if not notes:
        return ""
    stride = math.ceil(len(notes) / _MOST_EPOCHS)
    chosen = [
        note for place, note in enumerate(notes, 1) if place % stride == 0 or note is notes[-1]
    ]
    columns = (
        *(Column(label=label, role="number") for label in ("epoch", "loss", "accuracy")),
        *(Column(label=label, role="number") for label in ("joules of it", "joules until then")),
        Column(label="basis", role="basis"),
    )
    every = "" if stride == 1 else f", every {stride} of {len(notes)}"
    table = Table(
        caption=f"epochs: what each came to, and its joules in all segments{every}",
        columns=columns,
        rows=tuple(_epoch(note, summary) for note in chosen),
    )
    return f"\n{table_text(table)}\n"


def _epoch(note: EpochNote, summary: LedgerSummary) -> Row:
    loss, accuracy = note.metrics.get("loss"), note.metrics.get("accuracy")
    which = ""
    if accuracy is None:
        accuracy, which = note.metrics.get("train_accuracy"), " (train)"
    cost_j = summary.by_epoch.get(note.epoch)
    return (
        str(note.epoch),
        NOT_SEEN if loss is None else show_number(loss, ""),
        NOT_SEEN if accuracy is None else f"{percent(accuracy)}{which}",
        show(cost_j),
        show(note.energy_j),
        "" if cost_j is None else cost_j.basis.value,
    )


def render_evaluation(checkpoint: Path, found: Evaluation) -> str:
    """Print an evaluation for a terminal; ends in a newline."""
    sources = Sources()
    rows = [
        _row("accuracy (top-1)", found.top1, sources, is_share=True),
        *([_row("accuracy (top-5)", found.top5, sources, is_share=True)] if found.top5 else []),
        _row("loss", found.loss, sources),
        _row("calibration error", found.calibration_error, sources, is_share=True),
        _row("  if calibrated exactly", found.calibration_chance, sources, is_share=True),
        _row("energy per image (gross)", found.energy_per_image_j, sources),
        _row("images per second", found.images_per_s, sources),
    ]
    section = Section(
        title=f"{found.model}, weights of {checkpoint}, on {found.data} ({found.dtype})",
        tables=(_table(rows), _classes(found)),
    )
    return _page([section], sources, found.findings, ())


def _classes(found: Evaluation) -> Table:
    columns = (
        Column(label="class"),
        Column(label="images", role="number"),
        Column(label="accuracy", role="number"),
    )
    rows = tuple(
        (one.name, show_count(one.image_count), as_percent(one.accuracy)) for one in found.per_class
    )
    return Table(caption="By class", columns=columns, rows=rows)


def _render_result(outcome: TrainingResult) -> str:
    opinion = () if outcome.codecarbon is None else outcome.codecarbon.parts
    theirs = [part.energy_kwh.source for part in opinion]
    sources = Sources([*_parts(outcome.ledger), *theirs])
    recipe = outcome.recipe
    what = f"{Path(recipe.model).name}, {epochs(outcome.epochs_done)} of {recipe.data}"
    if recipe.teacher is not None:
        what += f", taught by {recipe.teacher}"
    where = f"{outcome.environment.device_name} ({outcome.device}, {recipe.dtype})"
    section = Section(
        title=f"{what}, on {where}",
        tables=(
            _table(
                [
                    *_accuracies(outcome, sources),
                    *_costs(outcome.ledger, sources),
                    *_second_opinion(outcome, sources),
                ],
                f"{_ENDINGS.get(outcome.stopped_by, outcome.stopped_by)}; {_INTERVALS}",
            ),
        ),
    )
    findings = dict.fromkeys((*outcome.findings, *outcome.ledger.findings))
    return _page([section], sources, findings, (clean(f"stored in {outcome.folder}"),))


def _page(
    sections: Iterable[Section],
    sources: Sources,
    findings: Iterable[Finding],
    last: Sequence[str],
) -> str:
    blocks = [block for section in sections for block in section_blocks(section)]
    points = "\n".join(
        bullet(in_sentences(sources.shorten(finding.observed), finding.remedy))
        for finding in findings
    )
    blocks += ["\n".join(map(paragraph, sources.notes())), points, "\n".join(last)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(rows: Iterable[Row], caption: str = _INTERVALS) -> Table:
    return Table(caption=caption, columns=_COLUMNS, rows=tuple(rows))


def _accuracies(outcome: TrainingResult, sources: Sources) -> list[Row]:
    rows = [_row("test accuracy (top-1)", outcome.test_accuracy, sources, is_share=True)]
    chosen_by = outcome.validation_accuracy
    if chosen_by is not None:
        rows.append(_row("validation accuracy", chosen_by, sources, is_share=True))
    if outcome.stopped_by == STOPPED_BY_TARGET:
        rows.append(_row("energy to the target", outcome.curve[-1].energy_j, sources))
    return rows


def _costs(summary: LedgerSummary, sources: Sources) -> list[Row]:
    """What a run cost, and where that went."""
    duration = stated(summary.duration_s, "s", Basis.MEASURED, "monotonic clock")
    rows = [
        _row("time", duration, sources),
        _row("energy (gross)", summary.energy_j, sources),
        _row("  in watt-hours", summary.energy_kwh, sources),
        *_phases(summary, sources),
    ]
    if summary.repeated_j is not None:
        rows.append(_row("  of epochs done again", summary.repeated_j, sources))
    rows += [
        _row("energy of an epoch", summary.joules_per_epoch, sources),
        _row("images per joule", summary.images_per_joule, sources),
        _row("carbon", summary.carbon_g, sources),
    ]
    if summary.second_opinion_j is not None:
        rows.append(_row("CodeCarbon's rules, applied here", summary.second_opinion_j, sources))
    return rows


def _second_opinion(outcome: TrainingResult, sources: Sources) -> list[Row]:
    opinion = outcome.codecarbon
    if opinion is None:
        return []
    return [_row(label, value, sources) for label, value in brief_rows(opinion)]


def _phases(summary: LedgerSummary, sources: Sources) -> list[Row]:
    whole_j = None if summary.energy_j is None else summary.energy_j.point
    rows = []
    for phase, energy_j in summary.by_phase.items():
        share = show_share(energy_j.point / whole_j) if energy_j and whole_j else ""
        label = f"  {phase}{', ' if share else ''}{share}"
        rows.append(_row(label, energy_j, sources))
    return rows


def _parts(summary: LedgerSummary) -> list[str]:
    """The sources of which those of totals are made."""
    parts = [
        part.source
        for segment in summary.segments
        for part in segment.devices.values()
        if part is not None
    ]
    return [*parts, summary.carbon.intensity_g_per_kwh.source]


def _row(label: str, estimate: Estimate | None, sources: Sources, *, is_share: bool = False) -> Row:
    if estimate is None:
        return (label, show(None), "", "")
    text = as_percent(estimate) if is_share else show(estimate)
    return (label, text, estimate.basis.value, sources.cite(estimate))
