"""The cells of a plan: every combination of its grids, with the weights that each takes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch

from profiler.errors import UsageError
from profiler.variants.reference import members_of, parse

from .cell import Cell, CellKind
from .plan import WITHOUT_MODELS, Grid, StudyPlan

_TOGETHER = (CellKind.VISUALIZE, CellKind.COMPARE)
_WITHOUT_DEVICE = (CellKind.STATS, CellKind.VISUALIZE)


def cells_of(plan: StudyPlan, device_of: Callable[[str], str]) -> tuple[Cell, ...]:
    """All cells, those whose weights others take first.

    Args:
        plan: the study.
        device_of: the device that a word such as "auto" stands for here: "cpu", "cuda:0".

    Raises:
        UsageError: a cell takes weights that no training of the grid it names gives.
    """
    made: dict[str, list[Cell]] = {}
    names: set[str] = set()
    for grid in plan.grid:
        named = []
        for cell in _cells(grid, device_of, made):
            name, number = cell.name, 1
            while name in names:  # two references may differ in what no file name can hold
                number += 1
                name = f"{cell.name}~{number}"
            names.add(name)
            named.append(replace(cell, name=name))
        made[grid.id] = named
    return tuple(itertools.chain.from_iterable(made.values()))


def only(cells: Sequence[Cell], patterns: Sequence[str]) -> tuple[Cell, ...]:
    """The cells whose names one of some patterns fits, and those that they need.

    Args:
        cells: of a study.
        patterns: with * and ?; () for all cells.

    Raises:
        UsageError: a pattern fits no cell.
    """
    if not patterns:
        return tuple(cells)
    by_name = {cell.name: cell for cell in cells}
    kept: set[str] = set()
    for pattern in patterns:
        fitting = {name for name in by_name if fnmatch(name, pattern)}
        if not fitting:
            raise UsageError(
                f"no cell of the study fits --only {pattern}",
                hint=f"such as --only '{cells[0].name}'; --dry-run lists the cells",
            )
        kept |= fitting
    waiting = list(kept)
    while waiting:
        needed = set(by_name[waiting.pop()].needs) - kept
        kept |= needed
        waiting += needed
    return tuple(cell for cell in cells if cell.name in kept)


def networks_of(model: str) -> tuple[str, ...]:
    """The references that need weights of their own: a model itself, or an ensemble's members."""
    members = members_of(parse(model).base)
    return (model,) if members is None else tuple(member.reference for member in members)


def _cells(
    grid: Grid, device_of: Callable[[str], str], made: dict[str, list[Cell]]
) -> Iterator[Cell]:
    is_together = grid.in_turns or grid.kind in _TOGETHER
    if is_together and grid.weights and any(len(networks_of(m)) > 1 for m in grid.models):
        raise UsageError(
            f"the grid '{grid.id}' brings an ensemble together with other models",
            hint="give the ensemble a grid of its own",
        )
    is_one = is_together or grid.kind in WITHOUT_MODELS
    groups = [grid.models] if is_one else [(model,) for model in grid.models]
    devices = tuple(dict.fromkeys(map(device_of, grid.devices)))
    if grid.kind in _WITHOUT_DEVICE:
        devices = ("cpu",)
    axes = (
        grid.seeds if grid.kind not in _WITHOUT_DEVICE else grid.seeds[:1],
        devices,
        grid.batch_sizes or (None,),
        grid.dtypes or (None,),
        grid.runtimes or (None,),
        groups,
    )
    for seed, device, batch_size, dtype, runtime, models in itertools.product(*axes):
        cell = Cell(
            name="",
            kind=grid.kind,
            models=models,
            device=device,
            batch_size=batch_size,
            dtype=dtype,
            runtime=runtime,
            seed=seed,
            data=grid.data,
            flags=grid.flags,
            limit_s=grid.limit_s,
            checkpoints=tuple(
                _weights_for(part, device, seed, made[grid.weights])
                for model in models
                for part in networks_of(model)
            )
            if grid.weights is not None
            else (),
            teacher=None
            if grid.teacher is None
            else _same_seed(made[grid.teacher], device, seed)[0].name,
        )
        yield replace(cell, name=_name(grid, cell))


def _name(grid: Grid, cell: Cell) -> str:
    parts = [grid.id]
    if len(cell.models) == 1:
        parts += cell.models
    if cell.kind not in _WITHOUT_DEVICE:
        parts.append(cell.device)
        if cell.batch_size is not None:
            parts.append(f"b{cell.batch_size}")
        parts += filter(None, (cell.dtype, cell.runtime))
        parts.append(f"s{cell.seed}")
    return re.sub(r"[^A-Za-z0-9._+=-]+", "-", "-".join(parts))


def _weights_for(model: str, device: str, seed: int, trained: Iterable[Cell]) -> str:
    """The training of the longest beginning of a reference: its own, or what it is made of."""
    wanted = parse(model)
    fitting = [cell for cell in trained if wanted.begins_with(parse(cell.models[0]))]
    if not fitting:
        raise UsageError(
            f"no training of the study gives weights for '{model}'",
            hint="add it, or what its transforms are applied to, to the models of that grid",
        )
    longest = max(len(cell.models[0]) for cell in fitting)
    return _same_seed([cell for cell in fitting if len(cell.models[0]) == longest], device, seed)[
        0
    ].name


def _same_seed(cells: Sequence[Cell], device: str, seed: int) -> list[Cell]:
    """Cells of a seed, those on a device first; where there is none of it, of the first seed."""
    fitting = [cell for cell in cells if cell.seed == seed] or list(cells)
    return sorted(fitting, key=lambda cell: cell.device != device)
