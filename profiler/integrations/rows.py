"""The segments of a job by name: of its stages, runs, attempts and phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from profiler.ledger.stretches import joint_name, phase_of
from profiler.ledger.sums import join
from profiler.values.estimate import Estimate

from .findings import UNSUMMABLE
from .segment import SegmentEnergy, add_up

MOST_ROWS = 12
"""Epochs of one phase that are told one by one in text."""


def total_of(segments: Sequence[SegmentEnergy]) -> Estimate | None:
    """Joules of all of them; see `profiler.ledger.sums.join` for what no sensor saw."""
    for segment in segments:
        kinds = {finding.kind for finding in segment.findings}
        if segment.energy_j is None and kinds & set(UNSUMMABLE):
            return None
    return join([(segment.energy_j, segment.duration_s) for segment in segments])


def energies_of(segments: Sequence[SegmentEnergy]) -> dict[str, Estimate | None]:
    """Joules of each stage, then those of its phases, in the order of time.

    Of the second run of a stage each name ends in "(run 2)". Where a run took several attempts, its
    stage has the sum of them and each of them besides; phases are those of the last one.
    """
    wholes: dict[str, list[SegmentEnergy]] = {}
    parts: dict[str, list[Estimate | None]] = {}
    last = {segment.run: segment.attempt for segment in segments}
    for segment in segments:
        runs = list(dict.fromkeys(s.run for s in segments if s.stage == segment.stage))
        number = runs.index(segment.run) + 1
        run = f"run {number}" if number > 1 else ""
        attempt = f"attempt {segment.attempt}"
        wholes.setdefault(_named(segment.stage, run), []).append(segment)
        if last[segment.run] > 1:
            wholes.setdefault(_named(segment.stage, run, attempt), []).append(segment)
        failed = attempt if segment.attempt < last[segment.run] else ""
        for name, energy_j in segment.parts.items():
            parts.setdefault(_named(name, run, failed), []).append(energy_j)
    found = {name: total_of(own) for name, own in wholes.items()}
    return found | {name: add_up(own) for name, own in parts.items()}


def _named(name: str, *which: str) -> str:
    words = ", ".join(word for word in which if word)
    return f"{name} ({words})" if words else name


def rows_of(energies: Mapping[str, Estimate | None]) -> list[tuple[str, Estimate | None]]:
    """The energies for a reader: of many epochs of one phase, those that are known as one row."""
    epochs: dict[tuple[str, str], list[int]] = {}
    for name in energies:
        phase, epoch, which = _split(name)
        if epoch is not None:
            epochs.setdefault((phase, which), []).append(epoch)
    rows: dict[str, list[Estimate | None]] = {}
    for name, energy_j in energies.items():
        phase, epoch, which = _split(name)
        if epoch is None or len(epochs[phase, which]) <= MOST_ROWS:
            rows[name] = [energy_j]
        elif energy_j is not None:
            known = [n for n in epochs[phase, which] if energies[f"{phase} {n}{which}"] is not None]
            row = f"{joint_name([(phase, n) for n in known])}{which}"
            rows.setdefault(row, []).append(energy_j)
    return [(name, add_up(own)) for name, own in rows.items()]


def _split(name: str) -> tuple[str, int | None, str]:
    """Phase, epoch and what follows in brackets."""
    work, bracket, which = name.partition(" (")
    return *phase_of(work), bracket + which
