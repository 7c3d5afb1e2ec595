"""A cell of a study, and what it came to.

A cell is one command in a process of its own. What decides what it computes is in it, so that its
digest tells whether a finished one may be taken instead of running it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from profiler.values.codec import encode

CODE_LENGTH = 12


class CellKind(StrEnum):
    """What a cell does: the verb that it runs."""

    STATS = "stats"
    VISUALIZE = "visualize"
    TRAIN = "train"
    EVALUATE = "evaluate"
    COMPARE = "compare"
    MEASURE = "measure"
    LAYERS = "layers"
    DOCTOR = "doctor"
    RIVALS = "rivals"


class CellState(StrEnum):
    """How a cell ended."""

    FINISHED = "finished"
    FAILED = "failed"
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination of a study's grid.

    Args:
        name: unique within the study, fit for a file name: "measure-resnet18-cpu-b1-fp32-s0".
        kind: what is done.
        models: references, transforms included; several are measured in turns.
        device: as the flag --device takes it.
        batch_size: items of a call; None where the verb has none, or its own.
        dtype: precision; None for the verb's own.
        runtime: what executes the model; None for the verb's own.
        seed: of everything random.
        data: source of the images; None for the verb's own.
        flags: further words of the command.
        checkpoints: names of the cells whose weights are taken, one for each of `models`; () for
            fresh ones. A training starts from them.
        teacher: name of the cell whose weights teach; None for none.
        limit_s: seconds after which it is ended as by Ctrl-C; None for no limit. It decides nothing
            of what a finished cell came to.
    """

    name: str
    kind: CellKind
    models: tuple[str, ...]
    device: str
    batch_size: int | None = None
    dtype: str | None = None
    runtime: str | None = None
    seed: int = 0
    data: str | None = None
    flags: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    teacher: str | None = None
    limit_s: float | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the cells that must be finished before."""
        return tuple(dict.fromkeys((*self.checkpoints, *filter(None, (self.teacher,)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEnd:
    """What a cell came to; stored in its folder.

    Args:
        code: digest of what decided it, see `digests`.
        state: how it ended.
        command: words after `python`, as they can be typed again where the study was run.
        started_utc: ISO 8601, to the second.
        duration_s: wall time, waiting for the device left out.
        device: what it ran on, as the engine was told.
        engine: "local" or "ray".
        exit_code: of the command; None where no command ended.
        reason: why it failed or was not begun, in one sentence; "" where it did neither.
        hint: what to do about it; "" for nothing in particular.
    """

    code: str
    state: CellState
    command: tuple[str, ...]
    started_utc: str
    duration_s: float
    device: str
    engine: str
    exit_code: int | None = None
    reason: str = ""
    hint: str = ""


def digests(cells: tuple[Cell, ...]) -> Mapping[str, str]:
    """For each cell's name, the digest of all that decides what it computes.

    The cells whose weights it takes are part of it, in whatever order the cells stand. What is at
    its default is not, so that a study keeps its cells when a later version adds a field.
    """
    by_name = {cell.name: cell for cell in cells}
    known: dict[str, str] = {}

    def code_of(name: str) -> str:
        if name not in known:
            cell = by_name[name]
            stated = {
                field.name: encode(getattr(cell, field.name))
                for field in fields(cell)
                if getattr(cell, field.name) != field.default and field.name != "limit_s"
            }
            decided = [stated, [code_of(needed) for needed in cell.needs]]
            text = json.dumps(decided, sort_keys=True, ensure_ascii=True)
            known[name] = hashlib.sha256(text.encode()).hexdigest()[:CODE_LENGTH]
        return known[name]

    return {name: code_of(name) for name in by_name}
