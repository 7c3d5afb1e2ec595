"""A study as sections of a report: its networks in one table, and the cells that failed."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.render import Column, Section, Table
from profiler.render.setting import size_of_call
from profiler.values.profile import Profile
from profiler.values.quantities import per_item
from profiler.values.units import NOT_SEEN, show, show_short
from reports.studies.cell import CellState
from reports.studies.results import StudiedNetwork, networks_of_study
from reports.studies.study_folder import StoredStudy

from .devices import device_sections

NETWORKS = "The networks of the study"
FAILED = "Cells that failed, or that no time was left for"
NOT_MEASURED = "not measured"
_SETTING_WORDS = 4
_COLUMNS = (
    Column(label="network"),
    Column(label="setting"),
    Column(label="accuracy", role="number"),
    Column(label="joules an image", role="number"),
    Column(label="basis", role="basis"),
    Column(label="score", role="number", leaves=2),
    Column(label="MACs", role="number", leaves=1),
    Column(label="training", role="number", leaves=3),
)


def study_sections(study: StoredStudy) -> tuple[Section, ...]:
    """What came of it, and what did not.

    Raises:
        StoreError: what a cell stored cannot be read.
    """
    networks = networks_of_study(study)
    sections = []
    if networks:
        sections.append(Section(title=NETWORKS, tables=(_table(networks),)))
    failed = _failed(study)
    if failed is not None:
        sections.append(Section(title=FAILED, tables=(failed,)))
    return (*sections, *device_sections(study))


def _table(networks: Sequence[StudiedNetwork]) -> Table:
    """One row a network and setting; without the columns that have nothing in them."""
    parts = [_setting(profile) for network in networks for profile in network.profiles]
    ends = ({part[place:] for part in parts} for place in range(_SETTING_WORDS))
    same = [place for place, end in enumerate(ends) if len(end) == 1]
    shared = parts[0][same[0] :] if same else ()
    rows = [row for network in networks for row in _rows(network, len(shared))]
    kept = [
        place
        for place, column in enumerate(_COLUMNS)
        if any(row[place] not in ("", NOT_SEEN) for row in rows)
    ]
    where = f"; {', '.join(shared)}" if shared else ""
    return Table(
        caption=f"One row a network and setting{where}; training: joules of the whole of it"
        if len(_COLUMNS) - 1 in kept
        else f"One row a network and setting{where}",
        columns=tuple(_COLUMNS[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in rows),
    )


def _rows(network: StudiedNetwork, shared: int) -> list[tuple[str, ...]]:
    """Rows of `_COLUMNS`; so many last words of a setting are the same in all."""
    accuracy = network.accuracy
    shown = show(None if accuracy is None else accuracy.scaled(100, "%"))
    ledger = None if network.training is None else network.training.ledger.energy_j
    trained = "" if network.training is None else show(ledger)
    if not network.profiles:
        return [(network.label, NOT_MEASURED, shown, "", "", "", "", trained)]
    return [
        (network.label, *_measured(profile, shown, shared), trained) for profile in network.profiles
    ]


def _measured(profile: Profile, accuracy: str, shared: int) -> tuple[str, ...]:
    joules = per_item(profile.energy_j, profile, "J")
    setting = _setting(profile)
    return (
        ", ".join(setting[: len(setting) - shared]),
        accuracy,
        show(joules),
        NOT_SEEN if joules is None else joules.basis.value,
        show_short(profile.score),
        show_short(per_item(profile.mac_count, profile, "MAC")),
    )


def _setting(profile: Profile) -> tuple[str, ...]:
    workload = profile.workload
    return (size_of_call(profile), workload.dtype, workload.executor, workload.device)


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
