"""A study as sections of a report: its networks in one table, and the cells that failed."""

from __future__ import annotations

from profiler.render import Column, Section, Table
from profiler.values.profile import Profile
from profiler.values.quantities import per_item
from profiler.values.units import NOT_SEEN, show, show_short

from .device_sections import device_sections
from .studies.cell import CellState
from .studies.results import StudiedNetwork, networks_of_study
from .studies.study_folder import StoredStudy

NETWORKS = "The networks of the study"
FAILED = "Cells that failed, or that no time was left for"
_COLUMNS = (
    Column(label="network"),
    Column(label="setting"),
    Column(label="accuracy", role="number"),
    Column(label="joules an image", role="number"),
    Column(label="basis", role="basis"),
    Column(label="score", role="number"),
    Column(label="MACs", role="number"),
    Column(label="joules of training", role="number"),
)


def study_sections(study: StoredStudy) -> tuple[Section, ...]:
    """What came of it, and what did not.

    Raises:
        StoreError: what a cell stored cannot be read.
    """
    rows = [row for network in networks_of_study(study) for row in _rows(network)]
    sections = []
    if rows:
        table = Table(caption="One row a network and setting", columns=_COLUMNS, rows=tuple(rows))
        sections.append(Section(title=NETWORKS, tables=(table,)))
    failed = _failed(study)
    if failed is not None:
        sections.append(Section(title=FAILED, tables=(failed,)))
    return (*sections, *device_sections(study))


def _rows(network: StudiedNetwork) -> list[tuple[str, ...]]:
    accuracy = network.accuracy
    shown = show(None if accuracy is None else accuracy.scaled(100, "%"))
    ledger = None if network.training is None else network.training.ledger.energy_j
    trained = "" if network.training is None else show(ledger)
    if not network.profiles:
        return [(network.label, "not measured", shown, "", "", "", "", trained)]
    return [(network.label, *_measured(profile, shown), trained) for profile in network.profiles]


def _measured(profile: Profile, accuracy: str) -> tuple[str, ...]:
    joules = per_item(profile.energy_j, profile, "J")
    return (
        _setting(profile),
        accuracy,
        show(joules),
        NOT_SEEN if joules is None else joules.basis.value,
        show_short(profile.score),
        show_short(per_item(profile.mac_count, profile, "MAC")),
    )


def _setting(profile: Profile) -> str:
    workload = profile.workload
    return f"batch {workload.batch_size}, {workload.dtype}, {workload.executor}, {workload.device}"


def _failed(study: StoredStudy) -> Table | None:
    rows = tuple(
        (name, end.reason + (f" ({end.hint})" if end.hint else ""))
        for name, end in study.ends.items()
        if end.state is not CellState.FINISHED
    )
    if not rows:
        return None
    columns = (Column(label="cell", role="code"), Column(label="why"))
    return Table(caption="Run the study again to try them again", columns=columns, rows=rows)
