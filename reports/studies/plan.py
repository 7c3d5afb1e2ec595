"""What we run: studies as grids of cells, read from `reports/studies/*.toml` or a file of your own.

A grid is every combination of its models, devices, batch sizes, precisions, run-times and seeds. A
later grid may take the weights that an earlier one trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reports.data_error import ReportDataError
from reports.toml_file import files_in, read_toml

from .cell import CellKind

FOLDER = Path(__file__).parent

_AXES = {
    "batch_sizes": (CellKind.MEASURE, CellKind.LAYERS, CellKind.EVALUATE, CellKind.STATS),
    "dtypes": (CellKind.MEASURE, CellKind.LAYERS, CellKind.EVALUATE, CellKind.TRAIN),
    "runtimes": (CellKind.MEASURE,),
    "weights": (
        CellKind.MEASURE, CellKind.LAYERS, CellKind.EVALUATE, CellKind.TRAIN, CellKind.COMPARE,
    ),
    "teacher": (CellKind.TRAIN,),
    "in_turns": (CellKind.MEASURE,),
    "data": (CellKind.MEASURE, CellKind.LAYERS, CellKind.EVALUATE, CellKind.TRAIN),
}  # fmt: skip
_NEED_WEIGHTS = (CellKind.EVALUATE, CellKind.COMPARE)
WITHOUT_MODELS = (CellKind.DOCTOR, CellKind.RIVALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells of one kind that differ along axes.

    Args:
        id: unique in the study; the cells' names begin with it.
        kind: what each cell does.
        models: references, transforms included; () for what looks at the device itself.
        devices: as the flag --device takes them.
        batch_sizes: items of a call; () for the verb's own.
        dtypes: precisions; () for the verb's own.
        runtimes: what executes the models; () for the verb's own.
        seeds: of everything random.
        data: source of the images; None for the verb's own.
        in_turns: measure all models in one cell, block by block, rather than each in its own.
        weights: id of the earlier grid that trains the weights; None for fresh ones.
        teacher: id of the earlier grid whose first model teaches; None for none.
        flags: further words of every command.
        limit_s: seconds after which a cell is ended as by Ctrl-C; None for no limit.
    """

    id: str
    kind: CellKind
    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("auto",)
    batch_sizes: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    data: str | None = None
    in_turns: bool = False
    weights: str | None = None
    teacher: str | None = None
    flags: tuple[str, ...] = ()
    limit_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("id", "devices", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"'{name}' is empty")
        if self.models and self.kind in WITHOUT_MODELS:
            raise ValueError(f"'models' is nothing that '{self.kind}' has")
        if not self.models and self.kind not in WITHOUT_MODELS:
            raise ValueError("'models' is empty")
        if self.limit_s is not None and self.limit_s <= 0:
            raise ValueError(f"'limit_s' is {self.limit_s:g}, not above 0")
        for name, kinds in _AXES.items():
            if getattr(self, name) and self.kind not in kinds:
                raise ValueError(f"'{name}' is nothing that '{self.kind}' has")
        if self.kind in _NEED_WEIGHTS and self.weights is None:
            raise ValueError(f"'{self.kind}' needs 'weights'")
        for name in ("models", "devices", "batch_sizes", "dtypes", "runtimes", "seeds"):
            values = getattr(self, name)
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"'{name}' has {twice!r} twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """A study of ours.

    Args:
        id: its name on the command line.
        title: heading of its report.
        paper: id of the claims that it is put beside; None for none.
        grid: its grids, in the order in which they are run.
    """

    id: str
    title: str
    paper: str | None = None
    grid: tuple[Grid, ...]

    def __post_init__(self) -> None:
        if not self.grid:
            raise ValueError("there is no [[grid]]")
        earlier: dict[str, Grid] = {}
        for grid in self.grid:
            if grid.id in earlier:
                raise ValueError(f"two grids are called '{grid.id}'")
            for field in ("weights", "teacher"):
                name = getattr(grid, field)
                if name is not None and (
                    name not in earlier or earlier[name].kind is not CellKind.TRAIN
                ):
                    raise ValueError(
                        f"'{field}' of grid '{grid.id}' names '{name}', which is no earlier grid "
                        "that trains"
                    )
            earlier[grid.id] = grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a command line makes of a plan; None and () leave it as it is.

    Args:
        device: in the place of every grid's devices.
        data: in the place of every source of images.
        epochs: of every training.
        seed_count: seeds 0 to n - 1 in the place of every grid's.
        max_seconds: budget of every measurement.
    """

    device: str | None = None
    data: str | None = None
    epochs: int | None = None
    seed_count: int | None = None
    max_seconds: float | None = None


def find_plan(name: str) -> StudyPlan:
    """The study of that name, or in that TOML file.

    Raises:
        ReportDataError: there is none, or its file is not as it must be.
    """
    if name.endswith(".toml"):
        return read_plan(Path(name))
    plans = {plan.id: plan for plan in map(read_plan, files_in(FOLDER))}
    if name not in plans:
        raise ReportDataError(
            f"unknown study '{name}'",
            hint=f"studies: {', '.join(plans)}, or a TOML file of your own",
        )
    return plans[name]


def read_plan(file: Path) -> StudyPlan:
    """One study.

    Raises:
        ReportDataError: the file is not as it must be; the message names file and field or line.
    """
    return read_toml(file, StudyPlan)


def changed(plan: StudyPlan, changes: Changes) -> StudyPlan:
    """The plan with what a command line asks for instead."""
    return replace(plan, grid=tuple(_changed(grid, changes) for grid in plan.grid))


def _changed(grid: Grid, changes: Changes) -> Grid:
    if changes.device is not None:
        grid = replace(grid, devices=(changes.device,))
    if changes.data is not None and grid.data is not None:
        grid = replace(grid, data=changes.data)
    if changes.seed_count is not None:
        grid = replace(grid, seeds=tuple(range(changes.seed_count)))
    more: Sequence[str] = ()
    if changes.epochs is not None and grid.kind is CellKind.TRAIN:
        more = ("--epochs", str(changes.epochs))
    if changes.max_seconds is not None and grid.kind in (CellKind.MEASURE, CellKind.LAYERS):
        more = ("--max-seconds", f"{changes.max_seconds:g}")
    # The last of two equal flags is the one that holds.
    return replace(grid, flags=(*grid.flags, *more))
