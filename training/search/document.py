"""What a search came to, as a report: the front, what was learnt, and every network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from profiler.values.estimate import Basis, Estimate, weakest
from profiler.values.plain_text import clean
from profiler.values.units import NOT_SEEN, show

from .learnt_section import learnt_section
from .objectives import ACCURACY, JOULES, OBJECTIVES
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
    sections += [learnt_section(result), _networks(result)]
    return Document(
        title=f"Search of {clean(result.plan.space)}",
        lead=(_summary(result), _way(result), _INTERVALS),
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
    left_out = sum(trial.is_left_out for trial in result.trials)
    failed = sum(trial.error is not None for trial in result.trials) - left_out
    text = f"Tried: {len(result.trials)} networks"
    text += f"; not trained, because they cost too much: {left_out}" if left_out else ""
    text += f"; failed: {failed}" if failed else ""
    text += f"; on the front: {len(result.best)}. "
    if result.energy_j is None:
        return text + "The joules of the search, or a part of them, were not seen."
    return text + f"The search took {_with_basis(result.energy_j)}."


def _way(result: SearchResult) -> str:
    """How it was searched, in one line."""
    plan, recipe = result.plan, result.plan.recipe
    images = "one image" if plan.batch_size == 1 else f"{plan.batch_size} images"
    size = "" if recipe.image_size is None else f", resized to {recipe.image_size} pixels"
    epochs = ", ".join(str(plan.round_epochs(number)) for number in range(plan.rounds))
    wanted = "".join(f"; {each}" for each in plan.constraints)
    return clean(
        f"Data: {recipe.data}{size}. Epochs of each round: {epochs}; the better half goes on. "
        f"Proposed by {plan.sampler} (seed {recipe.seed}){wanted}. "
        f"Measured in {plan.precision}, {images} a call."
    )


def _front(result: SearchResult) -> Section:
    names = _shown(result)
    paid = [] if not result.break_even else [Column(label="paid for after", role="number")]
    rows = tuple((*_row(trial, names), *_paid(trial, result)) for trial in result.best)
    notes = [*_sources(result.best, names)]
    if result.baseline is not None and result.baseline_costs is not None:
        costs = ", ".join(
            f"{OBJECTIVES[name].label} {_with_basis(value)}"
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
        charts=tuple(_charts(result)),
        tables=(
            Table(
                caption="Networks that no other one beats",
                columns=(*_columns(names, result.plan.objectives), *paid),
                rows=rows,
            ),
        )
        if rows
        else (),
        notes=tuple(notes),
    )


def _shown(result: SearchResult) -> tuple[str, ...]:
    """What the tables show of a network; joules also where only the break-even rests on them."""
    wanted = result.plan.wanted
    return (*wanted, JOULES) if result.break_even and JOULES not in wanted else wanted


def _paid(trial: Trial, result: SearchResult) -> list[str]:
    """The cell of the break-even, in a table that has one."""
    if not result.break_even:
        return []
    images = result.break_even.get(str(trial.number))
    return [_with_basis(images)]


def _with_basis(value: Estimate | None) -> str:
    return NOT_SEEN if value is None else f"{show(value)} ({value.basis.value})"


def _charts(result: SearchResult) -> Iterator[Chart]:
    # Of a network that was proposed twice the first goes on.
    once = {trial.reference: trial for trial in reversed(result.trials) if trial.accuracies}
    trained = sorted(once.values(), key=lambda trial: trial.number)
    if len(trained) < 2:
        return
    for name in result.plan.objectives:
        if not OBJECTIVES[name].is_trained:
            yield _chart(trained, result.best, name)


def _chart(trained: Sequence[Trial], best: Sequence[Trial], cost: str) -> Chart:
    label, unit = OBJECTIVES[cost].label, OBJECTIVES[cost].unit
    numbers = {trial.number for trial in best}
    dots = tuple(_dot(trial, cost, is_on_front=trial.number in numbers) for trial in trained)
    steps = sorted((dot.x, dot.y) for dot in dots if dot.is_on_front)
    lines = (Line(label="", points=tuple(steps)),) if len(steps) > 1 else ()
    bases = " and ".join(sorted({dot.basis for dot in dots}))
    return Chart(
        caption=f"Validation accuracy over {label} ({bases}) of the networks that were trained, by "
        "the number of their trial; large: on the front; boxes: 95 % intervals"
        + ("; line: the front" if lines else ""),
        x=Axis(label=label, unit=unit, is_log=span_decades(dot.x for dot in dots)),
        y=Axis(label="accuracy", unit="%"),
        dots=dots,
        lines=lines,
    )


def _dot(trial: Trial, cost: str, *, is_on_front: bool) -> Dot:
    spent, accuracy = trial.values[cost], trial.values[ACCURACY]
    return Dot(
        label=str(trial.number),
        x=spent.point,
        x_low=spent.low,
        x_high=spent.high,
        y=100 * accuracy.point,
        y_low=_in_percent(accuracy.low),
        y_high=_in_percent(accuracy.high),
        basis=weakest((spent.basis, accuracy.basis)).value,
        is_on_front=is_on_front,
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
            _with_basis(one.energy_j),
            clean(one.folder),
        )
        for one in result.trained
    )
    caption = f"Fresh weights, {result.plan.recipe.epochs} epochs; the test split was read once"
    return Section(
        title="Trained in full", tables=(Table(caption=caption, columns=columns, rows=rows),)
    )


def _networks(result: SearchResult) -> Section:
    names = _shown(result)
    rows = tuple(_row(trial, names) for trial in result.trials)
    failures = tuple(
        clean(f"Trial {trial.number}: {trial.error}.")
        for trial in result.trials
        if trial.error is not None
    )
    table = Table(
        caption="In the order of their trials",
        columns=_columns(names, result.plan.objectives),
        rows=rows,
    )
    return Section(title="All networks", tables=(table,), notes=failures)


def _columns(names: Sequence[str], objectives: Sequence[str]) -> tuple[Column, ...]:
    """Where a terminal has no room, what a constraint is about leaves first, then the epochs."""
    return (
        Column(label="trial"),
        Column(label="network", role="code"),
        Column(label="epochs", role="number", leaves=2),
        *(
            Column(label=OBJECTIVES[name].label, role="number", leaves=int(name not in objectives))
            for name in names
        ),
        *([Column(label="basis of the joules", role="basis", leaves=3)] if JOULES in names else []),
    )


def _row(trial: Trial, names: Sequence[str]) -> tuple[str, ...]:
    joules = trial.values.get(JOULES)
    basis = [joules.basis.value if joules else ""] if JOULES in names else []
    cells = (_cell(trial, name) for name in names)
    reference = clean(trial.reference) or NOT_SEEN
    return (str(trial.number), reference, str(trial.epochs), *cells, *basis)


def _cell(trial: Trial, name: str) -> str:
    return OBJECTIVES[name].show(trial.values.get(name))


def _sources(trials: Sequence[Trial], names: Sequence[str]) -> list[str]:
    """Each distinct source once, under the name of its column; and what joules are no joules."""
    values: list[tuple[str, Estimate]] = [
        (name, trial.values[name]) for trial in trials for name in names if name in trial.values
    ]
    cited = [f"{OBJECTIVES[name].label} ({value.basis}): {value.source}" for name, value in values]
    if any(name == JOULES and value.basis is not Basis.MEASURED for name, value in values):
        cited.append(
            "No sensor measured the joules: they are modelled power times time, and order the "
            "networks as their latency does."
        )
    return list(dict.fromkeys(cited))
