from __future__ import annotations

import io
from pathlib import Path

import pandas
import pytest

from profiler.values.estimate import Basis, stated
from training.cli.evaluation_screen import evaluation_csv, render_evaluation
from training.evaluation.accuracy import top1_accuracy
from training.evaluation.confusion import by_class
from training.evaluation.evaluation import Evaluation
from training.result import Confusion


def evaluation(*cells: tuple[int, int, int], names: tuple[str, ...]) -> Evaluation:
    confusion = Confusion(class_names=names, cells=cells)
    total = sum(count for _, _, count in cells)
    right = sum(count for label, guess, count in cells if label == guess)
    number = stated(0.1, "", Basis.MEASURED, "a test")
    return Evaluation(
        data="pets: test", image_count=total, dtype="fp32",
        top1=top1_accuracy(right, total, "a test"), top5=None,
        per_class=by_class(confusion, "pets: test"), confusion=confusion, loss=number,
        calibration_error=number, calibration_chance=number,
    )  # fmt: skip


PETS = evaluation((0, 0, 8), (0, 1, 2), (1, 1, 5), names=("cat", "dog", "=owl"))
MANY = evaluation(
    *((label, label, 10) for label in range(100)), (7, 8, 4), (9, 8, 2), (3, 2, 1),
    names=tuple(f"a class with a rather long name, number {label}" for label in range(100)),
)  # fmt: skip


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def test_recall_and_precision_of_a_class_are_those_counted_by_hand() -> None:
    cat, dog, owl = PETS.per_class
    assert (cat.image_count, cat.guess_count) == (10, 8)
    assert (cat.accuracy.point, cat.precision.point) == (0.8, 1.0)
    assert (dog.accuracy.point, dog.precision.point) == (1.0, pytest.approx(5 / 7))
    assert dog.precision.low < 5 / 7 < dog.precision.high
    assert (owl.image_count, owl.accuracy, owl.precision) == (0, None, None)


def test_the_matrix_of_a_few_classes_is_shown_whole() -> None:
    shown = render_evaluation(Path("best.safetensors"), PETS)
    assert widest(shown) <= 80
    rows = [line.split() for line in shown.splitlines()]
    assert ["0", "cat", "8", "2", "0"] in rows
    assert ["1", "dog", "0", "5", "0"] in rows
    assert "never guessed" in shown


def test_many_classes_are_folded_to_what_is_worst() -> None:
    shown = render_evaluation(Path("best.safetensors"), MANY)
    assert widest(shown) <= 80
    assert "By class: the 20 of 100 recognised least; `--format csv` has all" in shown
    lines = shown.splitlines()
    worst = lines[lines.index("Most confused") + 3]
    assert "    4  " in worst
    assert len(lines) < 60


def test_the_csv_holds_the_whole_matrix_and_is_read_back() -> None:
    frame = pandas.read_csv(io.StringIO(evaluation_csv(MANY)))
    assert len(frame) == 100
    matrix = frame.filter(like="taken for ").to_numpy()
    assert matrix.shape == (100, 100)
    assert matrix.sum() == MANY.image_count
    assert (matrix[7, 8], matrix[9, 8], matrix[8, 7]) == (4, 2, 0)
    assert frame["accuracy"][7] == pytest.approx(10 / 14)
    assert frame["accuracy_low"][7] < 10 / 14 < frame["accuracy_high"][7]
    assert set(frame["accuracy_basis"]) == {"measured"}
    pets = pandas.read_csv(io.StringIO(evaluation_csv(PETS)))
    assert pets["class"][2] == "'=owl"  # which no spreadsheet takes for a formula
    assert pandas.isna(pets["accuracy"][2])
