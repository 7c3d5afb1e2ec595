"""The command line of a cell: what is typed after `python`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from profiler.variants.reference import ENSEMBLE, members_of, parse
from training.run_folder import BEST

from .cell import Cell, CellKind
from .study_folder import RUNS, TRAINING

FIGURE = "architectures.svg"

Words = tuple[str, ...]


def command_of(cell: Cell, folders: Mapping[str, Path]) -> Words:
    """Words after `python`.

    Args:
        cell: what to run.
        folders: of the cell and of those whose weights it takes, by name.
    """
    weights = tuple(str(folders[name] / TRAINING / BEST) for name in cell.checkpoints)
    if len(weights) > len(cell.models) == 1:  # a file for each member of an ensemble
        cell = replace(cell, models=(_with_files(cell.models[0], weights),))
        weights = weights[:1] if cell.kind is CellKind.EVALUATE else ()
    words = _COMMANDS[cell.kind](cell, folders[cell.name], weights)
    if cell.teacher is not None:
        words += ("--teacher", str(folders[cell.teacher] / TRAINING / BEST))
    return ("-m", *words, *cell.flags)


def _with_files(ensemble: str, files: Words) -> str:
    """The reference of an ensemble with the weights of each member behind it."""
    reference = parse(ensemble)
    members = members_of(reference.base) or ()
    named = ",".join(
        f"{member.reference}@{file}" for member, file in zip(members, files, strict=True)
    )
    return str(replace(reference, base=f"{ENSEMBLE}{named})"))


def _given(flag: str, value: object) -> Words:
    return () if value is None else (flag, str(value))


def _each(flag: str, values: Words) -> Words:
    return tuple(word for value in values for word in (flag, value))


def _stats(cell: Cell, folder: Path, weights: Words) -> Words:
    size = _given("--batch-size", cell.batch_size)
    return ("profiler", "stats", "--model", cell.models[0], *size, "--json")


def _visualize(cell: Cell, folder: Path, weights: Words) -> Words:
    return ("models", "visualize", *cell.models, "--out", str(folder / FIGURE))


def _train(cell: Cell, folder: Path, weights: Words) -> Words:
    return (
        "training", "train", *_each("--model", cell.models), "--device", cell.device,
        *_given("--dtype", cell.dtype), *_given("--data", cell.data), "--seed", str(cell.seed),
        *_each("--initial", weights), "--out", str(folder / TRAINING), "--resume-or-start",
        "--json",
    )  # fmt: skip


def _evaluate(cell: Cell, folder: Path, weights: Words) -> Words:
    return (
        "training", "evaluate", *_each("--checkpoint", weights), *_each("--model", cell.models),
        "--device", cell.device, *_given("--batch-size", cell.batch_size),
        *_given("--dtype", cell.dtype), *_given("--data", cell.data), "--json",
    )  # fmt: skip


def _compare(cell: Cell, folder: Path, weights: Words) -> Words:
    return ("training", "compare", *weights, "--device", cell.device, "--json")


def _measure(cell: Cell, folder: Path, weights: Words) -> Words:
    return (
        "profiler", "measure", *_each("--model", cell.models), *_each("--checkpoint", weights),
        "--device", cell.device, *_given("--batch-size", cell.batch_size),
        *_given("--dtype", cell.dtype), *_given("--runtime", cell.runtime),
        *_given("--data", cell.data), "--seed", str(cell.seed), "--out", str(folder / RUNS),
        "--json",
    )  # fmt: skip


def _layers(cell: Cell, folder: Path, weights: Words) -> Words:
    return (
        "profiler", "layers", "--model", cell.models[0], *_each("--checkpoint", weights),
        "--device", cell.device, *_given("--batch-size", cell.batch_size),
        *_given("--dtype", cell.dtype), *_given("--data", cell.data), "--seed", str(cell.seed),
        "--json",
    )  # fmt: skip


def _doctor(cell: Cell, folder: Path, weights: Words) -> Words:
    return ("profiler", "doctor", "--calibrate", "--device", cell.device, "--json")


def _rivals(cell: Cell, folder: Path, weights: Words) -> Words:
    return ("reports", "rivals", "--device", cell.device, "--seed", str(cell.seed), "--json")


_COMMANDS: dict[CellKind, Callable[[Cell, Path, Words], Words]] = {
    CellKind.STATS: _stats,
    CellKind.VISUALIZE: _visualize,
    CellKind.TRAIN: _train,
    CellKind.EVALUATE: _evaluate,
    CellKind.COMPARE: _compare,
    CellKind.MEASURE: _measure,
    CellKind.LAYERS: _layers,
    CellKind.DOCTOR: _doctor,
    CellKind.RIVALS: _rivals,
}
