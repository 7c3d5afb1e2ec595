"""Finished trainings as a section of a report: accuracy, time and joules, on the data they had."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.render import Column, Section, Table
from profiler.render.document import Axis, Chart, Line, span_decades
from profiler.values.estimate import Estimate
from profiler.values.units import NOT_SEEN, show
from reports.claims.study import Study
from reports.trainings import TrainedModel, findings_of

TRAININGS = "Trainings"
_COLUMNS = (
    Column(label="model"),
    Column(label="epochs", role="number"),
    Column(label="seeds", role="number"),
    Column(label="dtype", leaves=1),
    Column(label="test accuracy", role="number"),
    Column(label="time of a run", role="number"),
    Column(label="joules of a run", role="number"),
    Column(label="images per joule", role="number", leaves=2),
    Column(label="basis of the joules", role="basis"),
)


def trainings_sections(
    trained: Sequence[TrainedModel], studies: Sequence[Study]
) -> tuple[Section, ...]:
    """The section of the trainings: a table for each data and device. None without trainings."""
    if not trained:
        return ()
    places: dict[tuple[str, str], list[TrainedModel]] = {}
    for model in trained:
        first = model.runs[0]
        places.setdefault((first.data, first.place), []).append(model)
    return (
        Section(
            title=TRAININGS,
            paragraphs=(
                "Each row is one recipe. Accuracy is top-1 on the test split, which chose nothing. "
                "With several seeds a number is their mean, and its interval is that of this mean "
                "(Student's t); with one seed the interval of the accuracy is missing, since one "
                "run says nothing about another seed. Time and joules are those of a whole run: "
                "decoding, training, evaluation, checkpoints. No figure is scaled.",
            ),
            tables=tuple(
                Table(
                    caption=f"On {data}; {place}", columns=_COLUMNS, rows=tuple(map(_row, models))
                )
                for (data, place), models in places.items()
            ),
            charts=tuple(filter(None, map(_curve, trained))),
            notes=(*_elsewhere(trained, studies), *_sources(trained), *_findings(trained)),
        ),
    )


def _row(trained: TrainedModel) -> tuple[str, ...]:
    result, recipe = trained.result, trained.runs[0].recipe
    accuracy = result.accuracy
    return (
        trained.model
        + (", distilled" if trained.is_distilled else "")
        + (f", at {recipe.image_size} pixels" if trained.is_resized else ""),
        " to ".join(f"{done:,}" for done in result.epochs_done),
        str(len(trained.runs)),
        recipe.dtype,
        show(None if accuracy is None else accuracy.scaled(100, "%")),
        show(result.duration_s),
        show(result.energy_j),
        show(result.images_per_joule),
        NOT_SEEN if result.energy_j is None else result.energy_j.basis.value,
    )


def _curve(trained: TrainedModel) -> Chart | None:
    """Accuracy against joules, one curve a seed.

    None where no sensor saw the joules, or only one epoch has them: a point is no curve.
    """
    runs = [run for run in trained.runs if len(run.curve) > 1]
    if not runs:
        return None
    bases = sorted({energy_j.basis.value for run in runs for energy_j, _ in run.curve})
    joules = [energy_j.point for run in runs for energy_j, _ in run.curve]
    return Chart(
        caption=f"{trained.model}: accuracy on {runs[0].curve_of} against the joules until then "
        f"(basis {' and '.join(bases)}), after each epoch, {trained.setting}",
        x=Axis(label="joules since the start", unit="J", is_log=span_decades(joules)),
        y=Axis(label="accuracy", unit="%"),
        lines=tuple(
            Line(
                label=f"seed {run.run.seed}",
                points=tuple((energy_j.point, 100 * share) for energy_j, share in run.curve),
            )
            for run in runs
        ),
    )


def _elsewhere(trained: Sequence[TrainedModel], studies: Sequence[Study]) -> tuple[str, ...]:
    """Which data no claim is about, so that nobody looks for its accuracy beside one."""
    claimed = {claim.dataset for study in studies for claim in study.claims}
    if not claimed:
        return ()
    other = dict.fromkeys(model.runs[0].data for model in trained if model.dataset not in claimed)
    sets = " and ".join(sorted(claimed))
    return tuple(
        f"{data}: this is not the data of the studies ({sets}), so its accuracy, time and joules "
        "stand beside none of their claims."
        for data in other
    )


def _sources(trained: Sequence[TrainedModel]) -> tuple[str, ...]:
    cited: dict[str, None] = {}
    for model in trained:
        named: tuple[tuple[str, Estimate | None], ...] = (
            ("test accuracy", model.result.accuracy),
            ("joules", model.result.energy_j),
        )
        for label, estimate in named:
            if estimate is not None:
                cited[f"{label} ({estimate.basis}): {estimate.source}."] = None
    return tuple(cited)


def _findings(trained: Sequence[TrainedModel]) -> tuple[str, ...]:
    return tuple(
        f"{finding.kind}: {finding.observed}" + (f" ({finding.remedy})" if finding.remedy else "")
        for finding in findings_of(trained)
    )
