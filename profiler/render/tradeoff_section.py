"""Accuracy against joules: which variants no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.comparison.pareto import pareto_front
from profiler.values.estimate import Estimate, weakest
from profiler.values.units import show

from .document import Axis, Chart, Column, Dot, Line, Section, Table, span_decades
from .places import PlacedRun, Setting

TITLE = "Accuracy against joules"


def tradeoff_section(places: Sequence[Setting]) -> Section | None:
    """A chart and a table for each place with two models of one exam; None without any."""
    groups = [(place, members) for place in places for members in _exams(place) if len(members) > 1]
    if not groups:
        return None
    return Section(
        title=TITLE,
        paragraphs=(
            "A model on the front is beaten by no other in both accuracy and joules. The front "
            "goes by the best values; boxes that overlap say that it may run otherwise.",
        ),
        charts=tuple(_chart(*group) for group in groups),
        tables=tuple(_table(*group) for group in groups),
    )


def _exams(place: Setting) -> list[list[tuple[PlacedRun, Estimate]]]:
    """Members by the images that their accuracy was reached on: others are another exam."""
    exams: dict[str | None, list[tuple[PlacedRun, Estimate]]] = {}
    for member in place.members:
        accuracy = member.profile.accuracy
        if accuracy is not None:
            exams.setdefault(member.profile.accuracy_data, []).append((member, accuracy))
    return list(exams.values())


def _front(members: Sequence[tuple[PlacedRun, Estimate]]) -> tuple[int, ...]:
    return pareto_front([(member.energy_j.point, accuracy.point) for member, accuracy in members])


def _exam_in_words(members: Sequence[tuple[PlacedRun, Estimate]]) -> str:
    data = members[0][0].profile.accuracy_data
    return "" if data is None else f"; accuracy on {data}"


def _chart(place: Setting, members: Sequence[tuple[PlacedRun, Estimate]]) -> Chart:
    front = _front(members)
    dots = []
    for index, (member, accuracy) in enumerate(members):
        percent, energy_j = accuracy.scaled(100, "%"), member.energy_j
        dots.append(
            Dot(
                label=member.label,
                x=energy_j.point,
                x_low=energy_j.low,
                x_high=energy_j.high,
                y=percent.point,
                y_low=percent.low,
                y_high=percent.high,
                basis=weakest((energy_j.basis, accuracy.basis)).value,
                is_on_front=index in front,
            )
        )
    steps = tuple((dots[index].x, dots[index].y) for index in front)
    bases = " and ".join(sorted({dot.basis for dot in dots}))
    return Chart(
        caption=f"Accuracy against joules per {place.item}, {place.title}"
        f"{_exam_in_words(members)}; boxes: 95 % intervals; line: the front; {bases}",
        x=Axis(
            label=f"energy per {place.item}",
            unit="J",
            is_log=span_decades(dot.x for dot in dots),
        ),
        y=Axis(label="accuracy", unit="%"),
        dots=tuple(dots),
        lines=(Line(label="", points=steps),) if len(steps) > 1 else (),
    )


def _table(place: Setting, members: Sequence[tuple[PlacedRun, Estimate]]) -> Table:
    front = _front(members)
    rows = tuple(
        (
            member.label,
            show(accuracy.scaled(100, "%")),
            accuracy.basis.value,
            show(member.energy_j),
            member.energy_j.basis.value,
            "yes" if index in front else "no",
        )
        for index, (member, accuracy) in enumerate(members)
    )
    columns = (
        Column(label="run"),
        Column(label="accuracy", role="number"),
        Column(label="basis", role="basis"),
        Column(label=f"energy per {place.item}", role="number"),
        Column(label="basis", role="basis"),
        Column(label="on the front"),
    )
    return Table(caption=place.title, columns=columns, rows=rows)
