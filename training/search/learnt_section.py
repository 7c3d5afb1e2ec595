"""What a search has learnt: which choices matter, and what counts are worth."""

from __future__ import annotations

from profiler.render.document import Column, Section, Table
from profiler.values.units import show, show_share

from .objectives import OBJECTIVES
from .result import SearchResult


def learnt_section(result: SearchResult) -> Section:
    """Importance of each choice, and how counts order networks as measurements do."""
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
                        f"{OBJECTIVES[one.measured].label} ({_bases(result, one.measured)})",
                        show(one.correlation),
                    )
                    for one in result.agreements
                ),
            )
        )
    note = () if tables else ("Too few networks were tried to learn anything from them.",)
    notes = tuple(dict.fromkeys(one.correlation.source for one in result.agreements))
    return Section(title="What was learnt", tables=tuple(tables), notes=(*note, *notes))


def _bases(result: SearchResult, name: str) -> str:
    """Whether it was measured after all: without a sensor, joules are not."""
    values = (trial.costs.get(name) for trial in result.trials)
    return ", ".join(sorted({value.basis.value for value in values if value is not None}))
