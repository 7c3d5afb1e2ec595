"""What a reader must know about the joules of a job, as findings."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.values.findings import Finding


def resumed(count: int) -> Finding:
    """Earlier runs are known up to their checkpoint only."""
    return Finding(
        kind="resumed",
        observed=f"{count} earlier run(s) are counted up to the checkpoint; "
        "what they drew after it was saved is not in these numbers",
        remedy="compare energy.json of those runs",
    )


def interrupted() -> Finding:
    """An exception, or the end of the program, ended a run."""
    return Finding(
        kind="interrupted",
        observed="the job was interrupted: the numbers end with the interruption",
        remedy="resume it from a checkpoint",
    )


def told_together(count: int) -> Finding:
    """Phases too many and too short to be inferred one by one."""
    return Finding(
        kind="phases-together",
        observed=f"{count} short phases have no joules of their own: they are in rows together, "
        "with what lay between them",
        remedy="for joules of each epoch, make epochs last many periods of the sensor",
    )


def lost(reason: str) -> Finding:
    """The callback itself failed."""
    return Finding(
        kind="measurement-lost",
        observed=f"the joules of this job are not known: {reason}",
        remedy="run `python -m profiler doctor`",
    )


def elsewhere(local_rank: int) -> Finding:
    """Another process reads the sensors of this host."""
    return Finding(
        kind="recorded-elsewhere",
        observed=f"local rank {local_rank} reads no sensor: rank 0 of its host does",
        remedy="read the callback on global rank 0",
    )


def one_host() -> Finding:
    """A process that does not speak for the job."""
    return Finding(
        kind="one-host",
        observed="these are the joules of this host alone",
        remedy="the process of global rank 0 has the sum over hosts",
    )


UNSUMMABLE = ("hosts-missing", "sensor-read-twice")
"""Kinds of what a segment without joules must say, for no sum to be made of the other segments."""


def hosts_missing(process_count: int, seen: str) -> Finding:
    """The sum over hosts cannot be told."""
    return Finding(
        kind="hosts-missing",
        observed=f"{process_count} processes did not report; the hosts that did drew {seen}",
        remedy="give every process the callback, and initialise torch.distributed",
    )


def read_twice(sensors: Sequence[str]) -> Finding:
    """Two processes claim to be the first of one host."""
    return Finding(
        kind="sensor-read-twice",
        observed=f"two processes of the job read the same sensor ({', '.join(sensors)})",
        remedy="give the processes of one host distinct local ranks (LOCAL_RANK)",
    )
