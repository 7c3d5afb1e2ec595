"""The one table of an experiment: a row a model, every number with its interval and basis."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.render.document import Column, Document, Section, Table
from profiler.values.findings import in_sentences
from profiler.values.plain_text import clean
from profiler.values.units import NOT_SEEN, show
from training.progress.words import as_percent, ending

from .plan import ExperimentPlan, results_of
from .seeds import FailedRun, FinishedRun, ModelResult

LONGEST_MODEL = 26
_COLUMNS = (
    Column(label="model", role="code"),
    Column(label="seeds", role="number"),
    Column(label="epochs", role="number"),
    Column(label="test accuracy", role="number"),
    Column(label="joules of a run", role="number"),
    Column(label="images per joule", role="number"),
    Column(label="time of a run", role="number"),
    Column(label="joules are", role="basis"),
)
_NARROW = (0, 1, 2, 3), (0, 4, 6, 7)
"""Of the columns above, those of two tables that fit a terminal of 80 columns."""
_INTERVALS = (
    "± and [low, high] are 95 % intervals of the mean over seeds (Student's t; that of joules "
    "joins what the sensor leaves open). One seed alone has no interval over seeds."
)


def experiment_document(
    plan: ExperimentPlan,
    runs: Sequence[FinishedRun],
    failed: Sequence[FailedRun] = (),
    *,
    is_narrow: bool = False,
) -> Document:
    """The table, where its numbers come from, and what to know before trusting them.

    Args:
        plan: what was to be trained.
        runs: what is finished.
        failed: what is not to be expected.
        is_narrow: two tables for a terminal, without images per joule.
    """
    results = results_of(plan, runs)
    devices = ", ".join(dict.fromkeys(run.device_name for run in runs))
    table = Table(
        caption=f"Trained on {plan.recipe.data}, on {devices or NOT_SEEN}",
        columns=_COLUMNS,
        rows=tuple(_row(result, failed) for result in results),
    )
    tables = tuple(_part(table, chosen) for chosen in _NARROW) if is_narrow else (table,)
    notes = (*_sources(results), *_findings(runs), *map(_failure, failed))
    return Document(
        title="Experiment",
        lead=(_INTERVALS,),
        sections=(Section(title="Models", tables=tables, notes=notes),),
    )


def _part(table: Table, chosen: Sequence[int]) -> Table:
    columns = [table.columns[place] for place in chosen]
    cells = [[row[place] for place in chosen] for row in table.rows]
    return Table(
        caption=table.caption,
        columns=tuple(columns),
        rows=tuple((ending(row[0], LONGEST_MODEL), *row[1:]) for row in cells),
    )


def _row(result: ModelResult, failed: Sequence[FailedRun]) -> tuple[str, ...]:
    failure_count = sum(run.model == result.model for run in failed)
    return (
        result.model,
        str(result.run_count) + (f", {failure_count} failed" if failure_count else ""),
        " to ".join(map(str, result.epochs_done)),
        as_percent(result.accuracy),
        show(result.energy_j),
        show(result.images_per_joule),
        show(result.duration_s),
        NOT_SEEN if result.energy_j is None else result.energy_j.basis.value,
    )


def _failure(run: FailedRun) -> str:
    advice = f". {run.hint[:1].upper()}{run.hint[1:]}" if run.hint else ""
    return clean(f"{run.folder} failed: {run.error}{advice}.")


def _sources(results: Sequence[ModelResult]) -> tuple[str, ...]:
    """Each distinct source once, under the name of its column."""
    cited: dict[str, None] = {}
    for result in results:
        for label, estimate in (
            ("test accuracy", result.accuracy),
            ("joules", result.energy_j),
            ("time", result.duration_s),
        ):
            if estimate is not None:
                cited[f"{label} ({estimate.basis}): {estimate.source}"] = None
    return tuple(cited)


def _findings(runs: Sequence[FinishedRun]) -> tuple[str, ...]:
    """Each distinct one once, with the runs that it is about where it is not about all."""
    about: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for finding in run.findings:
            about.setdefault((finding.observed, finding.remedy), []).append(run.folder)
    texts = []
    for (observed, remedy), folders in about.items():
        whose = "" if len(folders) == len(runs) else f"{', '.join(folders)}: "
        texts.append(f"{whose}{in_sentences(observed, remedy)}")
    return tuple(texts)
