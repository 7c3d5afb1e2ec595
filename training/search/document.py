"""What a search came to, as a report: the front, what was learnt, and every network."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.render.document import (
    Axis,
    Chart,
    Column,
    Document,
    Dot,
    Line,
    Section,
    Table,
    span_decades,
)
from profiler.values.estimate import Basis, Estimate
from profiler.values.plain_text import clean
from profiler.values.units import NOT_SEEN, show, show_share

from .objectives import ACCURACY, JOULES, OBJECTIVES
from .plan import SearchPlan
from .result import SearchResult
from .trials import Trial

_INTERVALS = (
    "± and [low, high] are 95 % intervals. An accuracy is that on the validation split, after as "
    "many epochs as stand beside it: it chose what is shown, and flatters."
)


def search_document(result: SearchResult) -> Document:
    """The report of a search."""
    sections = [_front(result)]
    if result.trained:
        sections.append(_trained(result))
    sections += [_learnt(result), _networks(result)]
    return Document(
        title=f"Search of {clean(result.plan.space)}",
        lead=(_summary(result), _INTERVALS),
        sections=tuple(sections),
    )


def told_nearest(result: SearchResult) -> str | None:
    """A sentence for a search whose constraints nothing meets; None where something does."""
    if result.best:
        return None
    wanted = ", ".join(map(str, result.plan.constraints))
    if result.nearest is None:
        return f"no network meets {wanted}"
    shown = ", ".join(
        f"{OBJECTIVES[each.objective].label} {_cell(result.nearest, each.objective)}"
        for each in result.plan.constraints
    )
    return clean(
        f"no network meets {wanted}; the nearest is {result.nearest.reference} with {shown} after "
        f"{result.nearest.epochs} epochs"
    )


def _summary(result: SearchResult) -> str:
    failed = sum(trial.error is not None for trial in result.trials)
    text = f"{len(result.trials)} networks were tried"
    text += f", of which {failed} failed or were left untrained" if failed else ""
    text += f"; {len(result.best)} are on the front. "
    if result.energy_j is None:
        return text + "The joules of the search, or a part of them, were not seen."
    return text + f"The search took {show(result.energy_j)} ({result.energy_j.basis.value})."


def _front(result: SearchResult) -> Section:
    plan = result.plan
    has_break_even = bool(result.break_even)
    columns = (*_columns(plan), *([Column(label="paid for after")] if has_break_even else []))
    rows = tuple(
        (
            *_row(trial, plan),
            *([show((result.break_even or {}).get(str(trial.number)))] if has_break_even else []),
        )
        for trial in result.best
    )
    notes = [*_sources(result.best, plan)]
    if result.baseline is not None and result.baseline_costs is not None:
        costs = ", ".join(
            f"{OBJECTIVES[name].label} {show(value)}"
            for name, value in result.baseline_costs.items()
        )
        notes.append(
            f"The baseline {clean(result.baseline)}: {costs}. The search is paid for after so many "
            "images if a network runs in its place; not shown where it may save nothing."
        )
    missed = told_nearest(result)
    return Section(
        title="Front",
        paragraphs=() if missed is None else (f"{missed[:1].upper()}{missed[1:]}.",),
        charts=tuple(_chart(result.best, name) for name in plan.objectives if _is_cost(name))
        if len(result.best) > 1
        else (),
        tables=(Table(caption="Networks that no other one beats", columns=columns, rows=rows),)
        if rows
        else (),
        notes=tuple(notes),
    )


def _chart(best: Sequence[Trial], cost: str) -> Chart:
    label, unit = OBJECTIVES[cost].label, OBJECTIVES[cost].unit
    dots = sorted((_dot(trial, cost) for trial in best), key=lambda dot: dot.x)
    bases = " and ".join(sorted({dot.basis for dot in dots}))
    return Chart(
        caption=f"Validation accuracy over {label} ({bases}) of the networks on the front; boxes: "
        "95 % intervals; line: the front",
        x=Axis(label=label, unit=unit, is_log=span_decades(dot.x for dot in dots)),
        y=Axis(label="accuracy", unit="%"),
        dots=tuple(dots),
        lines=(Line(label="front", points=tuple((dot.x, dot.y) for dot in dots)),),
    )


def _dot(trial: Trial, cost: str) -> Dot:
    spent, accuracy = trial.values[cost], trial.values[ACCURACY]
    return Dot(
        label=f"network {trial.number}",
        x=spent.point,
        x_low=spent.low,
        x_high=spent.high,
        y=100 * accuracy.point,
        y_low=_in_percent(accuracy.low),
        y_high=_in_percent(accuracy.high),
        basis=spent.basis.value,
        is_on_front=True,
    )


def _in_percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _trained(result: SearchResult) -> Section:
    columns = (
        Column(label="network", role="code"),
        Column(label="test accuracy", role="number"),
        Column(label="joules of the training", role="number"),
        Column(label="folder", role="code"),
    )
    rows = tuple(
        (
            clean(one.reference),
            OBJECTIVES[ACCURACY].show(one.accuracy),
            show(one.energy_j),
            clean(one.folder),
        )
        for one in result.trained
    )
    caption = f"Fresh weights, {result.plan.recipe.epochs} epochs; the test split was read once"
    return Section(
        title="Trained in full", tables=(Table(caption=caption, columns=columns, rows=rows),)
    )


def _learnt(result: SearchResult) -> Section:
    tables = []
    if result.importance:
        choices = sorted({name for shares in result.importance.values() for name in shares})
        tables.append(
            Table(
                caption="Importance of each choice: its share in how networks differ (fANOVA), "
                "as they were after the first round",
                columns=(
                    Column(label="choice", role="code"),
                    *(
                        Column(label=OBJECTIVES[name].label, role="number")
                        for name in result.importance
                    ),
                ),
                rows=tuple(
                    (name, *(show_share(shares.get(name)) for shares in result.importance.values()))
                    for name in choices
                ),
            )
        )
    if result.agreements:
        tables.append(
            Table(
                caption="How well a count orders the networks as a measurement does",
                columns=(
                    Column(label="count"),
                    Column(label="measurement"),
                    Column(label="rank correlation", role="number"),
                ),
                rows=tuple(
                    (
                        OBJECTIVES[one.cost].label,
                        OBJECTIVES[one.measured].label,
                        show(one.correlation),
                    )
                    for one in result.agreements
                ),
            )
        )
    note = () if tables else ("Too few networks were tried to learn anything from them.",)
    notes = tuple(dict.fromkeys(one.correlation.source for one in result.agreements))
    return Section(title="What was learnt", tables=tuple(tables), notes=(*note, *notes))


def _networks(result: SearchResult) -> Section:
    rows = tuple(_row(trial, result.plan) for trial in result.trials)
    failures = tuple(
        clean(f"Trial {trial.number}, {trial.reference or 'not built'}: {trial.error}.")
        for trial in result.trials
        if trial.error is not None
    )
    table = Table(caption="In the order of their trials", columns=_columns(result.plan), rows=rows)
    return Section(title="All networks", tables=(table,), notes=failures)


def _columns(plan: SearchPlan) -> tuple[Column, ...]:
    return (
        Column(label="network", role="code"),
        Column(label="epochs", role="number"),
        *(Column(label=OBJECTIVES[name].label, role="number") for name in plan.wanted),
        *([Column(label="basis of the joules", role="basis")] if JOULES in plan.wanted else []),
    )


def _row(trial: Trial, plan: SearchPlan) -> tuple[str, ...]:
    joules = trial.values.get(JOULES)
    basis = [joules.basis.value if joules else ""] if JOULES in plan.wanted else []
    cells = (_cell(trial, name) for name in plan.wanted)
    return (clean(trial.reference) or NOT_SEEN, str(trial.epochs), *cells, *basis)


def _cell(trial: Trial, name: str) -> str:
    return OBJECTIVES[name].show(trial.values.get(name))


def _sources(trials: Sequence[Trial], plan: SearchPlan) -> list[str]:
    """Each distinct source once, under the name of its column; and what joules are no joules."""
    values: list[tuple[str, Estimate]] = [
        (name, trial.values[name]) for trial in trials for name in plan.wanted
    ]
    cited = [f"{OBJECTIVES[name].label} ({value.basis}): {value.source}" for name, value in values]
    if any(name == JOULES and value.basis is not Basis.MEASURED for name, value in values):
        cited.append(
            "No sensor measured the joules: they are modelled power times time, and order the "
            "networks as their latency does."
        )
    return list(dict.fromkeys(cited))


def _is_cost(name: str) -> bool:
    return not OBJECTIVES[name].is_trained
