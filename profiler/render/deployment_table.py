"""How a run-time executed a model, and how true its answers stayed, as text and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from profiler.values.applied_transform import LeftAlone
from profiler.values.deployment import Deployment
from profiler.values.estimate import Estimate
from profiler.values.units import show

from .citations import Sources
from .document import Column, Table

_SHOWN = 3


def deployment_sentences(deployment: Deployment) -> tuple[str, ...]:
    """What a reader must know before any number: agreement first, then what fell back."""
    title = f"Run by {deployment.runtime} {deployment.version} in {deployment.precision}"
    if deployment.sqnr_db is None and deployment.top1_agreement is None:
        agreement = "whose agreement with eager torch was not seen"
    else:
        agreement = f"which agrees with eager torch: {_agreement(deployment)}"
    layers = _layers(deployment)
    return (f"{title}, {agreement}.", f"{layers[:1].upper()}{layers[1:]}.")


def deployment_table(deployment: Deployment, sources: Sources) -> Table:
    """One row a figure of the deployment."""
    figures = (
        ("signal to noise against eager torch", deployment.sqnr_db),
        ("first guess as eager torch", deployment.top1_agreement),
        ("time to export and load", deployment.export_s),
        ("deployed file", deployment.file_bytes),
    )
    rows = [
        (label, shown_sqnr(value), value.basis.value, sources.cite(value))
        for label, value in figures
        if value is not None
    ]
    return Table(
        caption=f"Run-time: {deployment.runtime} {deployment.version}, {deployment.precision}; "
        f"{_layers(deployment)}",
        columns=(
            Column(label="figure"),
            Column(label="value", role="number"),
            Column(label="basis", role="basis"),
            Column(label="source"),
        ),
        rows=tuple(rows),
    )


def shown_sqnr(estimate: Estimate) -> str:
    """A figure as reports print it; answers without any difference have no decibels."""
    return "identical" if estimate.point == math.inf else show(estimate)


def _agreement(deployment: Deployment) -> str:
    """Decibels and first guesses, with what they were seen on."""
    parts = []
    sqnr_db, top1 = deployment.sqnr_db, deployment.top1_agreement
    if sqnr_db is not None:
        parts.append(f"{shown_sqnr(sqnr_db)} ({sqnr_db.source})")
    if top1 is not None:
        parts.append(f"first guess the same for {show(top1)} of them")
    return ", ".join(parts)


def _layers(deployment: Deployment) -> str:
    count = deployment.as_asked_count
    asked = "" if count is None else f"{count} layers run in {deployment.precision}; "
    if not deployment.fell_back:
        return f"{asked}nothing fell back"
    return f"{asked}fell back: {_told(deployment.fell_back)}"


def _told(fell_back: Sequence[LeftAlone]) -> str:
    shown = [f"{item.layer} {item.reason}" for item in fell_back[:_SHOWN]]
    rest = len(fell_back) - _SHOWN
    return "; ".join([*shown, *([f"and {rest} more"] if rest > 0 else [])])
