"""The lines of a ledger: what a process knew when it wrote them, never changed afterwards.

    {"segment": {...}}     a process began
    {"settled": {...}}     joules from one instant to another, by phase and epoch
    {"note": {...}}        an epoch was done
    {"end": {...}}         the process ended, and what all of its life came to

Instants are CLOCK_MONOTONIC seconds, which only the lines of one segment share.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from profiler.values.codec import FormError, decode, encode, parse
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.profile import CarbonFactors

from .entries import Entry

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStart:
    """A process began.

    Args:
        segment: its number on this host.
        host: 0 for the first.
        started_utc: ISO 8601, to the second.
        started_s: the same instant on the clock of all other lines.
        epochs: how many epochs the whole run is to have.
        carbon: factors from joules to grams.
        journal: name of the file with its raw readings.
        host_count: machines that train together, each with a ledger of its own.
        recipe: what is trained, for whoever reads this file; never read back.
        findings: what was seen when the sensors were opened.
        schema_version: of these lines.
    """

    segment: int
    host: int
    started_utc: str
    started_s: float
    epochs: int
    carbon: CarbonFactors
    journal: str
    host_count: int = 1
    recipe: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedEnergy:
    """Joules from the beginning of a settlement to the note of an epoch."""

    epoch: int
    energy_j: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Joules between two instants of a segment, complete: what is settled is never asked again.

    Args:
        segment: number of the segment.
        from_s: where the settlement before it ended, or the segment began.
        until_s: up to where every instant is in one of the entries.
        energy_j: of all of it, as one window.
        entries: the same by epoch and phase.
        noted: joules up to each note that fell into it.
        findings: about all of it.
    """

    segment: int
    from_s: float
    until_s: float
    energy_j: Estimate | None
    entries: tuple[Entry, ...]
    noted: tuple[NotedEnergy, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An epoch was done."""

    segment: int
    epoch: int
    time_s: float
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEnd:
    """A segment is over: all of it, inferred as one window; `counted` names what the sum is of."""

    segment: int
    ended: str
    until_s: float
    energy_j: Estimate | None
    devices: Mapping[str, Estimate | None]
    second_opinion_j: Estimate | None = None
    findings: tuple[Finding, ...] = ()
    counted: tuple[str, ...] = ()


LedgerLine = SegmentStart | Settlement | Note | SegmentEnd
KINDS: Mapping[str, type[LedgerLine]] = {
    "segment": SegmentStart,
    "settled": Settlement,
    "note": Note,
    "end": SegmentEnd,
}


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a line can hold them: numbers that are not finite become None."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def written(line: LedgerLine) -> bytes:
    """A line as the file holds it, with its end."""
    (kind,) = (name for name, form in KINDS.items() if isinstance(line, form))
    return (json.dumps({kind: encode(line)}, allow_nan=False) + "\n").encode()


def read_line(text: bytes) -> LedgerLine:
    """A line of the file.

    Raises:
        FormError: it is no ledger line of this version.
    """
    fields = parse(text)
    if not isinstance(fields, dict) or len(fields) != 1 or next(iter(fields)) not in KINDS:
        raise FormError(f"is none of {', '.join(KINDS)}")
    ((kind, value),) = fields.items()
    found: LedgerLine = decode(value, KINDS[kind], kind)
    if isinstance(found, SegmentStart) and found.schema_version > SCHEMA_VERSION:
        raise FormError(f"its version {found.schema_version} is newer than this program's")
    return found
