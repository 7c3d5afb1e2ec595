"""When the joules of a training are saved again by the inferences of what it made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from profiler.comparison.break_even import BreakEven, break_even
from profiler.comparison.verdicts import compare
from profiler.render import Column, Section, Table
from profiler.render.labels import labels_of
from profiler.render.places import PlacedRun, places_of
from profiler.values.profile import Profile
from profiler.values.units import show
from reports.trainings import TrainedModel


def break_even_section(
    profiles: Sequence[Profile], trained: Sequence[TrainedModel]
) -> Section | None:
    """One row a trained model that was measured beside another one; None without any."""
    rows = tuple(_rows(profiles, trained))
    if not rows:
        return None
    columns = (
        Column(label="trained model"),
        Column(label="training"),
        Column(label="spent on it", role="number"),
        Column(label="instead of"),
        Column(label="saved per image", role="number"),
        Column(label="pays back after, inferences", role="number"),
        Column(label="basis", role="basis"),
    )
    return Section(
        title="When does the training pay?",
        paragraphs=(
            "The joules of a whole training over those that one inference saves against the first "
            "model measured in the same place. Both ends of an interval take the spent and the "
            "saved joules at their worst; an infinite end says that it may never pay.",
        ),
        tables=(Table(caption="Joules spent, and saved again", columns=columns, rows=rows),),
        notes=(
            "What a teacher took, and what was tried before, is not in the joules of a training.",
        ),
    )


def _rows(
    profiles: Sequence[Profile], trained: Sequence[TrainedModel]
) -> Iterator[tuple[str, ...]]:
    for place in places_of(profiles, labels_of(profiles)):
        base, *others = place.members
        for member in others:
            for model in trained:
                if model.model == member.profile.workload.model:
                    found = _paid(base, member, model)
                    if found is not None:
                        yield _row(base, member, model, found, place.title)


def _paid(base: PlacedRun, member: PlacedRun, model: TrainedModel) -> BreakEven | None:
    row = compare(base.profile, member.profile).of("energy_j")
    spent_j = model.result.energy_j
    if row is None or row.ratio is None or spent_j is None:
        return None
    return break_even(spent_j, base.energy_j, row.ratio)


def _row(
    base: PlacedRun, member: PlacedRun, model: TrainedModel, paid: BreakEven, place: str
) -> tuple[str, ...]:
    count = paid.inference_count
    basis = (paid.saved_j if count is None else count).basis
    return (
        member.label,
        ("distilled, " if model.is_distilled else "") + model.setting,
        show(paid.spent_j),
        f"{base.label}, on {place}",
        show(paid.saved_j),
        "never: it saves nothing" if count is None else show(count),
        basis.value,
    )
