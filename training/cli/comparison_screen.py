"""The text that `compare` prints: one table, the classes that differ most, and one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.comparison.judging import LESS
from profiler.comparison.verdicts import Comparison, compare
from profiler.render.document import Column, Table
from profiler.render.formats.text import bullet, paragraph, table_text
from profiler.values.estimate import Basis, Estimate, quotient, stated
from profiler.values.findings import in_sentences
from profiler.values.plain_text import clean
from profiler.values.profile import Profile
from profiler.values.quantities import ACCURACY, per_item
from profiler.values.units import NOT_SEEN, show
from training.evaluation.accuracy import accuracy_difference
from training.progress.words import as_percent, ending
from training.result import TrainingResult

if TYPE_CHECKING:
    from training.evaluation.side_by_side import SideBySide

SAME = ("epochs", "batch_size", "data", "image_size", "dtype")
ENERGY = "energy_j"
_MOST_CLASSES = 10
_LONGEST_LABEL = 16


def render_comparison(
    runs: Sequence[tuple[str, TrainingResult | None]], found: SideBySide | None
) -> str:
    """Print models beside each other for a terminal; ends in a newline.

    Args:
        runs: what each is called, and the result of its training where that is known.
        found: what evaluation and measurement came to; None where nothing has weights.
    """
    blocks = []
    if found is not None:
        blocks += [_models(found), _classes(found), *_sentences(found), verdict(found)]
    results = [result for _, result in runs]
    if len(results) > 1 and all(result is not None for result in results):
        known = [(label, result) for label, result in runs if result is not None]
        blocks += [_trainings(known), "\n".join(paragraph(text) for text in caveats(known))]
    return "\n\n".join(block for block in blocks if block) + "\n"


def against_first(results: Sequence[TrainingResult | None]) -> list[dict[str, Any]]:
    """Each training but the first against the first; None where one of the two is not known."""
    first, *others = results
    return [_against(first, other) for other in others]


def _against(base: TrainingResult | None, other: TrainingResult | None) -> dict[str, Any]:
    names = ("accuracy_difference", "energy_ratio", "time_ratio")
    if base is None or other is None:
        return dict.fromkeys(names)
    known = base.test_accuracy is not None and other.test_accuracy is not None
    energy, other_energy = base.ledger.energy_j, other.ledger.energy_j
    return {
        "accuracy_difference": accuracy_difference(base.test_accuracy, other.test_accuracy)
        if known and base.test_accuracy and other.test_accuracy
        else None,
        "energy_ratio": None
        if energy is None or other_energy is None
        else quotient(other_energy, energy, unit="x", source="joules over those of the first"),
        "time_ratio": quotient(_time(other), _time(base), unit="x", source="seconds likewise"),
    }


def caveats(runs: Sequence[tuple[str, TrainingResult]]) -> list[str]:
    """What else differs between trainings, and what the intervals leave out."""
    told = ["One training each: what another seed would change is in no interval here."]
    (_, base), *others = runs
    for label, other in others:
        differing = base.recipe.differences(other.recipe)
        told += [
            f"{name} differs for {clean(label)}: {clean(str(differing[name][0]))} and "
            f"{clean(str(differing[name][1]))}."
            for name in SAME
            if name in differing
        ]
    places = dict.fromkeys(result.environment.device_name for _, result in runs)
    if len(places) > 1:
        told.append(f"Trained on {' and '.join(places)}.")
    return told


def verdict(found: SideBySide) -> str:
    """One sentence: of those that are not detectably less accurate than the best, the frugalest."""
    results = found.results
    best = max(results, key=lambda one: _point(one.profile.accuracy))
    fit = []
    for one in results:
        row = compare(best.profile, one.profile).of(ACCURACY) if one is not best else None
        if row is None or row.verdict != LESS:
            fit.append(one)
    if any(comparison.is_contended for comparison in found.comparisons):
        return paragraph(
            f"Verdict: {best.label} is the most accurate; there is none on joules, since other "
            "work took the CPUs."
        )
    fewer = []
    for one in fit:
        row = None if one is best else compare(best.profile, one.profile).of(ENERGY)
        if row is not None and row.verdict == LESS and row.ratio is not None:
            fewer.append((row.ratio.point, one.label, row.ratio))
    if not fewer:
        return paragraph(
            f"Verdict: {best.label} is the most accurate, and no model that is as accurate as far "
            "as can be told takes detectably fewer joules."
        )
    _, label, ratio = min(fewer, key=lambda one: one[0])
    return paragraph(
        f"Verdict: {label} is not detectably less accurate than the most accurate ({best.label}), "
        f"at {show(ratio)} its joules."
    )


def _models(found: SideBySide) -> str:
    columns = (
        Column(label="model"),
        Column(label="accuracy", role="number"),
        Column(label="joules an image", role="number"),
        Column(label="basis", role="basis"),
        Column(label="latency a call", role="number"),
    )
    rows = tuple(
        (
            ending(one.label, _LONGEST_LABEL),
            as_percent(one.profile.accuracy),
            show(joules := _joules(one.profile)),
            NOT_SEEN if joules is None else joules.basis.value,
            show(one.profile.latency_s),
        )
        for one in found.results
    )
    size = found.results[0].profile.workload.batch_size
    caption = f"On {found.data}, batch {size}, in turns"
    return table_text(Table(caption=caption, columns=columns, rows=rows))


def _classes(found: SideBySide) -> str:
    """The classes whose accuracies lie farthest apart."""
    by_class = list(zip(*(one.per_class for one in found.results), strict=True))
    by_class.sort(key=lambda row: -_spread([one.accuracy for one in row]))
    shown = by_class[:_MOST_CLASSES]
    columns = (
        Column(label="class"),
        Column(label="images", role="number"),
        *(Column(label=ending(one.label, _LONGEST_LABEL), role="number") for one in found.results),
    )
    rows = tuple(
        (row[0].name, f"{row[0].image_count:,}", *(as_percent(one.accuracy) for one in row))
        for row in shown
    )
    more = len(by_class) - len(shown)
    caption = "By class" + (f", those farthest apart; {more} more in --json" if more else "")
    return table_text(Table(caption=caption, columns=columns, rows=rows))


def _sentences(found: SideBySide) -> list[str]:
    first, *others = found.results
    told = []
    for other, comparison in zip(others, found.comparisons, strict=True):
        parts = [_said(comparison, key, name) for key, name in ((ACCURACY, "accuracy"),
                 (ENERGY, "joules"), ("latency_s", "latency"))]  # fmt: skip
        text = f"{other.label} against {first.label}: {'; '.join(filter(None, parts))}."
        told.append(paragraph(text))
    findings = dict.fromkeys(f for one in found.comparisons for f in one.findings)
    notes = [bullet(in_sentences(each.observed, each.remedy)) for each in findings]
    return [*told, "\n".join(notes)]


def _said(comparison: Comparison, key: str, name: str) -> str:
    row = comparison.of(key)
    if row is None or row.ratio is None:
        return f"{name} {NOT_SEEN if row is None else 'without a ratio'}"
    how = f" ({row.ratio.source})" if key == ACCURACY else ""
    return f"{name} {show(row.ratio)}, {row.verdict or 'no verdict'}{how}"


def _trainings(runs: Sequence[tuple[str, TrainingResult]]) -> str:
    columns = (
        Column(label="training"),
        Column(label="model"),
        Column(label="accuracy", role="number"),
        Column(label="joules", role="number"),
        Column(label="basis", role="basis"),
        Column(label="time", role="number"),
    )
    rows = tuple(
        (
            ending(label, _LONGEST_LABEL),
            ending(Path(result.recipe.model).name, _LONGEST_LABEL),
            as_percent(result.test_accuracy),
            show(result.ledger.energy_j),
            NOT_SEEN if result.ledger.energy_j is None else result.ledger.energy_j.basis.value,
            show(_time(result)),
        )
        for label, result in runs
    )
    table = table_text(Table(caption="What training cost", columns=columns, rows=rows))
    lines = [
        paragraph(
            f"{label} against {runs[0][0]}: accuracy {_points(one['accuracy_difference'])}, joules "
            f"{show(one['energy_ratio'])}, time {show(one['time_ratio'])}."
        )
        for (label, _), one in zip(runs[1:], against_first([r for _, r in runs]), strict=True)
    ]
    return "\n\n".join([table, *lines])


def _joules(profile: Profile) -> Estimate | None:
    return per_item(profile.energy_j, profile, "J")


def _time(result: TrainingResult) -> Estimate:
    return stated(result.ledger.duration_s, "s", Basis.MEASURED, "monotonic clock")


def _points(difference: Estimate | None) -> str:
    return NOT_SEEN if difference is None else f"{as_percent(difference)} points".replace(" %", "")


def _spread(accuracies: Sequence[Estimate | None]) -> float:
    known = [accuracy.point for accuracy in accuracies if accuracy is not None]
    return max(known, default=0.0) - min(known, default=0.0)


def _point(estimate: Estimate | None) -> float:
    return -1.0 if estimate is None else estimate.point
