"""Which process of a distributed job reads the sensors, and the sum over its hosts.

Sensors see a whole host, so one process of each reads them: its local rank 0. The sum travels
through the key-value store of torch.distributed, with a deadline, and not through a collective: a
process that lacks the callback, or lost it to an error, can then delay the sum but never the job.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from profiler.values.codec import decode, encode
from profiler.values.findings import Finding

from . import findings as remarks
from .segment import SegmentEnergy, add_up

DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RankPlace:
    """Where this process stands in its job.

    Args:
        local_rank: within its host.
        global_rank: within the job.
        world_size: processes of the job.
        local_world_size: processes of this host; None where nobody said.
    """

    local_rank: int = 0
    global_rank: int = 0
    world_size: int = 1
    local_world_size: int | None = None

    @property
    def reads_sensors(self) -> bool:
        """Whether this process records for its host."""
        return self.local_rank == 0

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for the job."""
        return self.global_rank == 0

    @property
    def has_other_hosts(self) -> bool:
        """Whether the job may have processes on other hosts."""
        return self.world_size > (self.local_world_size or 1)


def gather(
    segment: SegmentEnergy | None, place: RankPlace, turn: int, *, deadline_s: float = DEADLINE_S
) -> SegmentEnergy | None:
    """The joules of this host, on the first process those of all hosts.

    Args:
        segment: what this process recorded; None where another one records for its host.
        place: of this process.
        turn: counts the gatherings of this job, alike in each process.
        deadline_s: how long the first process waits for the others.
    """
    if not place.has_other_hosts:
        return segment
    store = _store()
    if store is not None and not place.is_first:
        message = {"reads_sensors": place.reads_sensors, "segment": encode(segment)}
        store.set(_key(turn, place.global_rank), json.dumps(message))
    if store is None or not place.is_first:
        return None if segment is None else unshared(segment, place)
    seen = [] if segment is None else [segment]
    missing = int(place.reads_sensors and segment is None)
    give_up_s = time.monotonic() + deadline_s
    for rank in range(1, place.world_size):
        text = _receive(store, _key(turn, rank), give_up_s - time.monotonic())
        message = {"reads_sensors": True, "segment": None} if text is None else json.loads(text)
        if message["segment"] is not None:
            seen.append(decode(message["segment"], SegmentEnergy))
        elif message["reads_sensors"]:
            missing += 1
    return _incomplete(seen, missing) if missing and seen else merge(seen)


def unshared(segment: SegmentEnergy, place: RankPlace) -> SegmentEnergy:
    """What one host knows before, or without, the sum over hosts."""
    if not place.has_other_hosts:
        return segment
    if place.is_first:
        return _incomplete([segment], place.world_size - 1)
    return replace(segment, findings=(remarks.one_host(), *segment.findings))


def merge(segments: Sequence[SegmentEnergy]) -> SegmentEnergy | None:
    """The sum over hosts; of nothing where two processes read the same sensor."""
    if len(segments) < 2:
        return segments[0] if segments else None
    sensors = [sensor for segment in segments for sensor in segment.sensors]
    twice = sorted({sensor for sensor in sensors if sensors.count(sensor) > 1})
    names = dict.fromkeys(name for segment in segments for name in segment.parts)
    joined = replace(
        segments[0],
        duration_s=max(segment.duration_s for segment in segments),
        complete=all(segment.complete for segment in segments),
        energy_j=add_up(segment.energy_j for segment in segments),
        parts={name: add_up(s.parts.get(name) for s in segments) for name in names},
        sensors=tuple(sensors),
        hardware=" + ".join(segment.hardware for segment in segments if segment.hardware),
        findings=tuple(dict.fromkeys(f for segment in segments for f in segment.findings)),
    )
    if not twice:
        return joined
    return _without_numbers(joined, remarks.read_twice(twice))


def _incomplete(segments: Sequence[SegmentEnergy], missing: int) -> SegmentEnergy:
    """No total: a sum that lacks a host would be a plausible wrong number."""
    known = add_up(segment.energy_j for segment in segments)
    seen = "unknown joules" if known is None else f"{known.point:.0f} J"
    merged = merge(segments) or segments[0]
    return _without_numbers(merged, remarks.hosts_missing(missing, seen))


def _without_numbers(segment: SegmentEnergy, finding: Finding) -> SegmentEnergy:
    return replace(
        segment,
        energy_j=None,
        parts=dict.fromkeys(segment.parts),
        findings=(finding, *segment.findings),
    )


def _key(turn: int, rank: int) -> str:
    return f"wattprof/{turn}/{rank}"


def _receive(store: Any, key: str, patience_s: float) -> str | None:
    try:
        store.wait([key], timedelta(seconds=max(0.001, patience_s)))
        return bytes(store.get(key)).decode("utf-8")
    except RuntimeError:  # c10d's store says so in one of several subclasses: nothing came in time
        return None


def _store() -> Any:
    """The store of the default process group; None where there is none."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.distributed_c10d._get_default_store()
