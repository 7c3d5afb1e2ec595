"""The text that `evaluate` prints, and the same as CSV: a row a class, whole."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.render.citations import Sources
from profiler.render.document import Column, Section, Table
from profiler.values.layer_table import Scalar, write_csv
from profiler.values.units import NOT_SEEN, show_count
from training.evaluation.accuracy import top1_accuracy
from training.progress.words import as_percent, ending

from .screens import estimate_row, estimates_table, page

if TYPE_CHECKING:
    from profiler.values.estimate import Estimate
    from training.evaluation.confusion import ClassAccuracy
    from training.evaluation.evaluation import Evaluation
    from training.result import Confusion

WIDTH = 80
MOST_CLASSES = 20
MOST_PAIRS = 10
LONGEST = 20
NARROWEST = 3  # columns of a number and the gap before it
_WHOLE = "`--format csv` has all"


def render_evaluation(checkpoint: Path, found: Evaluation) -> str:
    """Print an evaluation for a terminal; ends in a newline."""
    sources = Sources()
    rows = [
        estimate_row("accuracy (top-1)", found.top1, sources, is_share=True),
        *(
            [estimate_row("accuracy (top-5)", found.top5, sources, is_share=True)]
            if found.top5
            else []
        ),
        estimate_row("loss", found.loss, sources),
        estimate_row("calibration error", found.calibration_error, sources, is_share=True),
        estimate_row("  if calibrated exactly", found.calibration_chance, sources, is_share=True),
        estimate_row("energy per image (gross)", found.energy_per_image_j, sources),
        estimate_row("images per second", found.images_per_s, sources),
    ]
    section = Section(
        title=f"{found.model}, weights of {checkpoint}, on {found.data} ({found.dtype})",
        tables=(estimates_table(rows), _classes(found.per_class), *_confusion(found.confusion)),
    )
    return page([section], sources, found.findings, ())


def _classes(per_class: tuple[ClassAccuracy, ...]) -> Table:
    """The classes by label, or of many those that are recognised least."""
    chosen, caption = per_class, "By class"
    if len(per_class) > MOST_CLASSES:
        seen = sorted((one for one in per_class if one.accuracy is not None), key=_point)
        chosen = tuple(seen[:MOST_CLASSES])
        caption += f": the {len(chosen)} of {len(per_class)} recognised least; {_WHOLE}"
    columns = (
        Column(label="class"),
        *(Column(label=label, role="number") for label in ("images", "accuracy", "precision")),
    )
    rows = tuple(
        (
            ending(one.name, LONGEST),
            show_count(one.image_count),
            as_percent(one.accuracy) if one.accuracy is not None else NOT_SEEN,
            as_percent(one.precision) if one.precision is not None else "never guessed",
        )
        for one in chosen
    )
    return Table(caption=caption, columns=columns, rows=rows)


def _point(one: ClassAccuracy) -> float:
    return math.inf if one.accuracy is None else one.accuracy.point


def _confusion(confusion: Confusion) -> tuple[Table, ...]:
    """The matrix where it fits a terminal, and otherwise the pairs that are confused most."""
    if len(confusion.class_names) <= WIDTH // NARROWEST:
        matrix = _matrix(confusion)
        cells = zip(*([column.label for column in matrix.columns], *matrix.rows), strict=True)
        if sum(max(map(len, column)) for column in cells) + 2 * len(matrix.rows) <= WIDTH:
            return (matrix,)
    pairs = _pairs(confusion)
    return (pairs,) if pairs.rows else ()


def _matrix(confusion: Confusion) -> Table:
    names = confusion.class_names
    counts = {(label, guess): count for label, guess, count in confusion.cells}
    return Table(
        caption="Confusion: a row is a class, a column what its images were taken for",
        columns=(
            Column(label="class"),
            *(Column(label=str(guess), role="number") for guess in range(len(names))),
        ),
        rows=tuple(
            (
                name if name == str(label) else f"{label} {ending(name, LONGEST)}",
                *(str(counts.get((label, guess), 0)) for guess in range(len(names))),
            )
            for label, name in enumerate(names)
        ),
    )


def _pairs(confusion: Confusion) -> Table:
    wrong = [cell for cell in confusion.cells if cell[0] != cell[1]]
    wrong.sort(key=lambda cell: -cell[2])
    totals: dict[int, int] = {}
    for label, _, count in confusion.cells:
        totals[label] = totals.get(label, 0) + count
    names = confusion.class_names
    folded = f": the first {MOST_PAIRS} of {len(wrong):,} pairs; {_WHOLE}"
    return Table(
        caption=f"Most confused{folded if len(wrong) > MOST_PAIRS else ''}",
        columns=(
            Column(label="class"),
            Column(label="taken for"),
            Column(label="images", role="number"),
            Column(label="of the class", role="number"),
        ),
        rows=tuple(
            (
                ending(names[label], LONGEST),
                ending(names[guess], LONGEST),
                show_count(count),
                as_percent(top1_accuracy(count, totals[label], "share of the images of the class")),
            )
            for label, guess, count in wrong[:MOST_PAIRS]
        ),
    )


def evaluation_csv(found: Evaluation) -> str:
    """A row a class: its figures, and how many of its images were taken for each class."""
    names = found.confusion.class_names
    taken_for = [f"taken for {name}" for name in names]
    counts = {(label, guess): count for label, guess, count in found.confusion.cells}
    rows: list[dict[str, Scalar]] = [
        {
            "class": one.name,
            "images": one.image_count,
            **_interval("accuracy", one.accuracy),
            "guesses": one.guess_count,
            **_interval("precision", one.precision),
            **{name: counts.get((label, guess), 0) for guess, name in enumerate(taken_for)},
        }
        for label, one in enumerate(found.per_class)
    ]
    return write_csv(rows[0], rows)


def _interval(name: str, estimate: Estimate | None) -> dict[str, Scalar]:
    return {
        name: None if estimate is None else estimate.point,
        f"{name}_low": None if estimate is None else estimate.low,
        f"{name}_high": None if estimate is None else estimate.high,
        f"{name}_basis": NOT_SEEN if estimate is None else estimate.basis.value,
    }
