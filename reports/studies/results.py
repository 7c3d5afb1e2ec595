"""What the cells of a study came to, brought together by network."""

from __future__ import annotations

from dataclasses import dataclass, replace

from profiler.errors import StoreError
from profiler.values.codec import FormError, decode
from profiler.values.estimate import Estimate
from profiler.values.profile import Profile
from profiler.values.quantities import per_item
from profiler.values.units import NOT_SEEN, show
from training.result import TrainingResult, read_result

from .cell import Cell, CellKind
from .study_folder import StoredStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedCell:
    """What is read of an evaluation: top-1 on a split, and what the split is."""

    top1: Estimate
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudiedNetwork:
    """One network of a study: a reference, with the weights it took.

    Args:
        model: its reference.
        weights: names of the cells that trained it, a teacher's left out; () for fresh weights.
        is_distilled: whether a teacher took part.
        accuracy: top-1 on the test split: of its evaluation, else what its checkpoint states; None
            where neither is there.
        accuracy_data: what that was reached on.
        training: of its own weights; None where it was not trained as this model.
        runs: what was measured of it, one a device, batch size, precision and run-time: what each
            run is called, and its profile.
    """

    model: str
    weights: tuple[str, ...]
    is_distilled: bool = False
    accuracy: Estimate | None = None
    accuracy_data: str | None = None
    training: TrainingResult | None = None
    runs: tuple[tuple[str, Profile], ...] = ()

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The profiles of its runs."""
        return tuple(profile for _, profile in self.runs)

    @property
    def label(self) -> str:
        """Its reference, with what a reader must know of its weights."""
        return f"{self.model}, distilled" if self.is_distilled else self.model


def networks_of_study(
    study: StoredStudy, *, with_traces: bool = False
) -> tuple[StudiedNetwork, ...]:
    """Every network that was trained, evaluated or measured, in the order of the cells.

    Args:
        study: it.
        with_traces: whether the raw readings of its runs are read as well.

    Raises:
        StoreError: what a cell stored cannot be read.
    """
    keys: dict[tuple[str, tuple[str, ...]], list[Cell]] = {}
    for cell in study.document.cells:
        if cell.kind is CellKind.TRAIN:
            keys.setdefault((cell.models[0], (cell.name,)), []).append(cell)
        elif cell.kind in (CellKind.EVALUATE, CellKind.MEASURE):
            for number, model in enumerate(cell.models):
                is_one = len(cell.models) == 1
                weights = cell.checkpoints if is_one else cell.checkpoints[number : number + 1]
                keys.setdefault((model, weights), []).append(cell)
    networks = (
        _network(study, model, weights, cells, with_traces)
        for (model, weights), cells in keys.items()
    )
    return tuple(network for network in networks if network is not None)


def evaluated_runs(network: StudiedNetwork) -> tuple[tuple[str, Profile], ...]:
    """Its runs, with the accuracy of its evaluation where they state none of their own.

    They are called after the network: a distilled one is told from the same one that was not.
    """
    return tuple((name, _evaluated(profile, network)) for name, profile in network.runs)


def _evaluated(profile: Profile, network: StudiedNetwork) -> Profile:
    profile = replace(profile, name=network.label)
    if profile.accuracy is not None:
        return profile
    return replace(profile, accuracy=network.accuracy, accuracy_data=network.accuracy_data)


def _network(
    study: StoredStudy,
    model: str,
    weights: tuple[str, ...],
    cells: list[Cell],
    with_traces: bool,
) -> StudiedNetwork | None:
    cells = [cell for cell in cells if study.is_finished(cell)]
    if not cells:
        return None
    by_name = {cell.name: cell for cell in study.document.cells}
    runs = tuple(
        (name, profile)
        for cell in cells
        for name, profile in study.runs_of(cell, with_traces=with_traces)
        if profile.workload.model == model or len(cell.models) == 1
    )
    stated = [(p.accuracy, p.accuracy_data) for _, p in runs if p.accuracy is not None]
    evaluated = [
        (found.top1, found.data)
        for cell in cells
        if cell.kind is CellKind.EVALUATE and (found := evaluation_of(study, cell)) is not None
    ]
    training = next((_training(study, c) for c in cells if c.kind is CellKind.TRAIN), None)
    trained = [] if training is None else [(training.test_accuracy, training.data)]
    accuracy, data = next(iter([*evaluated, *stated, *trained]), (None, None))
    return StudiedNetwork(
        model=model,
        weights=weights,
        is_distilled=any(by_name[name].teacher is not None for name in weights),
        accuracy=accuracy,
        accuracy_data=data,
        training=training,
        runs=runs,
    )


def evaluation_of(study: StoredStudy, cell: Cell) -> EvaluatedCell | None:
    """What a finished `evaluate` cell found.

    Raises:
        StoreError: what it printed is not of that form.
    """
    output = study.output_of(cell)
    if output is None:
        return None
    try:
        return decode(output, EvaluatedCell)
    except FormError as error:
        raise StoreError(
            f"'{study.folder_of(cell)}' holds no evaluation: {error}",
            hint="delete that folder and run the study again",
        ) from error


def result_text(study: StoredStudy, cell: Cell) -> str:
    """What a finished cell came to, in a few words; "" for what has no one number."""
    if cell.kind is CellKind.EVALUATE:
        found = evaluation_of(study, cell)
        return "" if found is None else f"top-1 {show(found.top1.scaled(100, '%'))}"
    if cell.kind is CellKind.TRAIN:
        result = _training(study, cell)
        if result is None:
            return ""
        accuracy = result.test_accuracy
        words = [] if accuracy is None else [f"top-1 {show(accuracy.scaled(100, '%'))}"]
        return ", ".join([*words, show(result.ledger.energy_j)])
    if cell.kind is CellKind.MEASURE:
        return "; ".join(_joules(profile) for _, profile in study.runs_of(cell))
    return ""


def _joules(profile: Profile) -> str:
    energy_j = per_item(profile.energy_j, profile, "J") or profile.energy_j
    if energy_j is None:
        return f"{profile.name} joules {NOT_SEEN}"
    return f"{profile.name} {show(energy_j)} ({energy_j.basis}) per {profile.workload.item}"


def _training(study: StoredStudy, cell: Cell) -> TrainingResult | None:
    folder = study.training_of(cell)
    return None if folder is None else read_result(folder)
