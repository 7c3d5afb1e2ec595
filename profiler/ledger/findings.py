"""What a reader of a ledger must know beyond what the sensors say of themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from profiler.values.findings import Finding
from profiler.values.plain_text import few_digits
from profiler.values.units import show

from .entries import KILLED, Entry, Phase, Segment

LEAST_UNSEEN_S = 0.1


def remarks_on(segments: Sequence[Segment], entries: Sequence[Entry]) -> tuple[Finding, ...]:
    """Findings about the segments together."""
    found = [killed(segment) for segment in segments if segment.ended == KILLED]
    if any(len(_sensors(segments, host)) > 1 for host in {segment.host for segment in segments}):
        found.append(other_sensors())
    unseen = [entry for entry in entries if entry.energy_j is None and entry.devices]
    unseen_s = math.fsum(entry.duration_s for entry in unseen)
    if unseen_s > LEAST_UNSEEN_S:
        found.append(unseen_entries(unseen_s, tuple(dict.fromkeys(e.phase for e in unseen))))
    uncounted = [e for e in entries if e.phase == Phase.TRAIN and e.item_count is None]
    if uncounted:
        found.append(uncounted_images(math.fsum(entry.duration_s for entry in uncounted)))
    return tuple(found)


def _sensors(segments: Sequence[Segment], host: int) -> set[tuple[str, ...]]:
    """The sets of devices that the segments of one host were seen by."""
    return {
        tuple(sorted(segment.devices))
        for segment in segments
        if segment.host == host and segment.energy_j is not None
    }


def missing_hosts(hosts: Sequence[int], host_count: int) -> Finding:
    """Ledgers of other machines are not in this folder."""
    names = ", ".join(map(str, hosts))
    return Finding(
        kind="host-missing",
        observed=f"{host_count} hosts trained together, and the ledger of host {names} is not in "
        "this folder: every sum here lacks its joules",
        remedy="copy its ledger-host and journal files into this folder",
    )


def killed(segment: Segment) -> Finding:
    """A process ended without a word."""
    where = f"segment {segment.number}" + (f" of host {segment.host}" if segment.host else "")
    return Finding(
        kind="segment-killed",
        observed=f"{where} was killed after {segment.duration_s:.1f} s, which cost "
        f"{show(segment.energy_j)}; what it drew after its last reading is not known",
        remedy="the readings are written every second: at most two are missing",
    )


def readings_gone(number: int, reason: str) -> Finding:
    """A killed segment left no journal."""
    return Finding(
        kind="readings-gone",
        observed=f"segment {number} did not end by itself and its raw readings cannot be had: "
        f"{reason}; its joules end where they were last settled",
        remedy="keep the journal files of a run together with its ledger",
    )


def other_sensors() -> Finding:
    """Segments ran on machines that can tell different things."""
    return Finding(
        kind="other-sensors",
        observed="the segments were seen by different sensors: their joules do not cover the same "
        "devices",
        remedy="compare the segments one by one",
    )


def unseen_entries(unseen_s: float, phases: tuple[str, ...]) -> Finding:
    """Some entries have no joules."""
    names = ", ".join(phases)
    return Finding(
        kind="phase-unseen",
        observed=f"{few_digits(unseen_s)} s of {names} have no joules, because no sensor could "
        "tell them",
        remedy="the joules of the segment as a whole include them",
    )


def uncounted_images(seconds: float) -> Finding:
    """Training whose images nobody counted: the process was killed before it could say."""
    return Finding(
        kind="images-not-counted",
        observed=f"the images of {seconds:.1f} s of training are not counted, because the process "
        "was killed meanwhile; their joules are",
        remedy="images per joule is that much too low; compare segments that ended by themselves",
    )


def unwritten(reason: str) -> Finding:
    """The ledger's file could not take the latest lines."""
    return Finding(
        kind="ledger-unwritten",
        observed=f"the ledger could not be written any more: {reason}",
        remedy="make room on that disk: what is missing is in memory, and is written with the next "
        "line that can be",
    )
