"""How long a cell will take, from what cells like it took; pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .cell import Cell, CellEnd, CellKind, CellState

EPOCHS = "--epochs"
BUDGET = "--max-seconds"
DEFAULT_BUDGETS_S = {CellKind.MEASURE: 30.0, CellKind.LAYERS: 60.0}
START_S = 12.0
"""What a measurement takes beside its budget: fresh processes, imports, counting; an assumption."""

Past = Sequence[tuple[Cell, CellEnd]]


def expected_s(cell: Cell, past: Past) -> float | None:
    """Seconds that a cell will take; None where nothing tells.

    A training scales with its epochs. A measurement that was never made is taken to use its whole
    budget, of the model or of its layers.

    Args:
        cell: one to run.
        past: cells of any study, and how they ended.
    """
    known = [
        end.duration_s * _epochs(cell) / _epochs(other)
        for other, end in past
        if end.state is CellState.FINISHED and _kin(other) == _kin(cell)
    ]
    if known:
        return median(known)
    if cell.kind in DEFAULT_BUDGETS_S:
        budget_s = float(_value(cell.flags, BUDGET) or DEFAULT_BUDGETS_S[cell.kind])
        return budget_s + START_S * len(cell.models)
    return None


def whole_s(cells: Sequence[Cell], past: Past) -> tuple[float, int]:
    """Seconds until all of some cells are done, and how many cells that leaves out.

    Cells of one device follow one another; devices work side by side.
    """
    by_device: dict[str, float] = {}
    unknown = 0
    for cell in cells:
        seconds = expected_s(cell, past)
        unknown += seconds is None
        by_device[cell.device] = by_device.get(cell.device, 0.0) + (seconds or 0.0)
    return max(by_device.values(), default=0.0), unknown


def _kin(cell: Cell) -> tuple[object, ...]:
    """What two cells share whose times are alike; the epochs of a training may differ."""
    words = list(cell.flags)
    while cell.kind is CellKind.TRAIN and EPOCHS in words:
        place = words.index(EPOCHS)
        del words[place : place + 2]
    return (
        cell.kind, cell.models, cell.device, cell.batch_size, cell.dtype, cell.runtime, cell.data,
        tuple(words), _value(cell.flags, EPOCHS) is None,
    )  # fmt: skip


def _epochs(cell: Cell) -> float:
    is_training = cell.kind is CellKind.TRAIN
    return float(_value(cell.flags, EPOCHS) or 1) if is_training else 1.0


def _value(flags: Sequence[str], name: str) -> str | None:
    """What follows the last of some equal flags."""
    places = [place for place, word in enumerate(flags[:-1]) if word == name]
    return flags[places[-1] + 1] if places else None
