"""What each epoch came to, as CSV: a row an epoch, joules by device and phase with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from profiler.values.estimate import Estimate
from profiler.values.layer_table import Scalar, interval_columns, write_csv
from profiler.values.profile import CarbonFactors
from profiler.values.quantities import JOULES_PER_KWH, grams

from .entries import Entry, EpochNote, LedgerSummary
from .sums import join

METRICS = ("loss", "train_accuracy", "accuracy", "learning_rate", "images_per_s")


def epochs_csv(summary: LedgerSummary) -> str:
    """A row for each epoch that was begun; what nobody saw or noted is an empty cell.

    `energy_j` is of the epoch alone, in all segments; `energy_so_far_j` is of the whole run until
    its end, what lies between the epochs included. `accuracy` is on the validation split. Of a
    device, `energy_DEVICE_j` may stand beside the total: see `doctor`.
    """
    notes = {note.epoch: note for note in summary.epochs}
    of_epochs = [entry for entry in summary.entries if entry.epoch is not None]
    devices = sorted({device for entry in of_epochs for device in entry.devices})
    phases = list(dict.fromkeys(str(entry.phase) for entry in of_epochs))
    rows = [
        _row(
            epoch,
            notes.get(epoch),
            [entry for entry in of_epochs if entry.epoch == epoch],
            devices,
            phases,
            summary.carbon,
        )
        for epoch in sorted({*notes, *summary.by_epoch})
    ]
    return write_csv(rows[0] if rows else ("epoch",), rows)


def _row(
    epoch: int,
    note: EpochNote | None,
    entries: Sequence[Entry],
    devices: Sequence[str],
    phases: Sequence[str],
    carbon: CarbonFactors,
) -> dict[str, Scalar]:
    energy_j = join([(entry.energy_j, entry.duration_s) for entry in entries])
    row: dict[str, Scalar] = {
        "epoch": epoch,
        **{name: None if note is None else note.metrics.get(name) for name in METRICS},
        "duration_s": _longest_s(entries),
        **interval_columns("energy", "j", energy_j),
        "energy_source": None if energy_j is None else energy_j.source,
        **interval_columns("carbon", "g", _carbon_g(energy_j, carbon)),
    }
    for device in devices:
        parts = [(entry.devices.get(device), entry.duration_s) for entry in entries]
        row.update(interval_columns(f"energy_{device}", "j", join(parts)))
    for phase in phases:
        own = [entry for entry in entries if entry.phase == phase]
        of_phase_j = join([(entry.energy_j, entry.duration_s) for entry in own])
        row.update(interval_columns(f"energy_{phase}", "j", of_phase_j))
    row["duration_so_far_s"] = None if note is None else note.duration_s
    row.update(interval_columns("energy_so_far", "j", None if note is None else note.energy_j))
    return row


def _longest_s(entries: Sequence[Entry]) -> float | None:
    """Seconds of an epoch, all its segments added up; hosts work at the same time."""
    by_host: dict[int, list[float]] = {}
    for entry in entries:
        by_host.setdefault(entry.host, []).append(entry.duration_s)
    return max(map(math.fsum, by_host.values()), default=None)


def _carbon_g(energy_j: Estimate | None, carbon: CarbonFactors) -> Estimate | None:
    return None if energy_j is None else grams(energy_j.scaled(1 / JOULES_PER_KWH, "kWh"), carbon)
