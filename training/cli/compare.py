"""What two trainings came to beside each other: accuracy, joules and time, with intervals.

The difference in accuracy is Newcombe's interval over the test images. What another seed would
change is not in it: `experiment` trains several, and says so.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from profiler.errors import StoreError
from profiler.render.document import Column, Table
from profiler.render.formats.text import paragraph, table_text
from profiler.values.codec import encode
from profiler.values.estimate import Basis, Estimate, quotient, stated
from profiler.values.plain_text import clean
from profiler.values.units import NOT_SEEN, show
from training.evaluation.accuracy import accuracy_difference
from training.progress.words import as_percent
from training.result import TrainingResult, read_result

from .options import add_json
from .output_folders import find_run

SCHEMA_VERSION = 1
SAME = ("epochs", "batch_size", "data", "image_size", "dtype")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare`."""
    for name in ("base", "other"):
        parser.add_argument(
            name, metavar=name.upper(), help="a run's folder, or a part of its name"
        )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Read both, and print what they came to."""
    base, other = _finished(arguments.base), _finished(arguments.other)
    energy, other_energy = base.ledger.energy_j, other.ledger.energy_j
    difference = (
        None
        if base.test_accuracy is None or other.test_accuracy is None
        else accuracy_difference(base.test_accuracy, other.test_accuracy)
    )
    ratios = {
        "energy_ratio": None if energy is None or other_energy is None
        else quotient(other_energy, energy, unit="", source="joules of OTHER over those of BASE"),
        "time_ratio": quotient(_time(other), _time(base), unit="", source="seconds likewise"),
    }  # fmt: skip
    caveats = _caveats(base, other)
    if arguments.json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "accuracy_difference": encode(difference),
            **encode(ratios),
            "caveats": caveats,
        }
        print(json.dumps(document, allow_nan=False))
        return 0
    columns = (
        Column(label=""),
        Column(label="BASE", role="number"),
        Column(label="OTHER", role="number"),
        Column(label="OTHER against BASE", role="number"),
    )
    rows = (
        ("model", Path(base.recipe.model).name, Path(other.recipe.model).name, ""),
        ("test accuracy", as_percent(base.test_accuracy), as_percent(other.test_accuracy),
         _points(difference)),
        ("energy", show(energy), show(other_energy), f"x {show(ratios['energy_ratio'])}"),
        ("time", show(_time(base)), show(_time(other)), f"x {show(ratios['time_ratio'])}"),
        ("basis of joules", _basis(energy), _basis(other_energy), ""),
    )  # fmt: skip
    print(table_text(Table(caption="Two trainings", columns=columns, rows=rows)))
    print("\n".join(paragraph(text) for text in caveats))
    return 0


def _finished(reference: str) -> TrainingResult:
    folder = find_run(reference)
    result = read_result(folder)
    if result is None:
        raise StoreError(
            f"the run in '{clean(str(folder))}' has no result yet",
            hint=f"see how far it is with `python -m training ledger {clean(reference)}`",
        )
    return result


def _time(result: TrainingResult) -> Estimate:
    return stated(result.ledger.duration_s, "s", Basis.MEASURED, "monotonic clock")


def _basis(estimate: Estimate | None) -> str:
    return NOT_SEEN if estimate is None else estimate.basis.value


def _points(difference: Estimate | None) -> str:
    return NOT_SEEN if difference is None else f"{as_percent(difference)} points".replace(" %", "")


def _caveats(base: TrainingResult, other: TrainingResult) -> list[str]:
    """What else differs, and what the intervals leave out."""
    told = ["One training each: what another seed would change is in no interval here."]
    differing = base.recipe.differences(other.recipe)
    told += [
        f"{name} differs: {clean(str(differing[name][0]))} and {clean(str(differing[name][1]))}."
        for name in SAME
        if name in differing
    ]
    if base.environment.device_name != other.environment.device_name:
        told.append(
            f"Trained on {base.environment.device_name} and {other.environment.device_name}."
        )
    return told
