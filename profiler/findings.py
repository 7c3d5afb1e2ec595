"""What a reader must know before trusting a number: values, not log lines.

Every judgement of the product is made in this module; renderers only print it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation about a measurement, and what the reader can do about it.

    Args:
        kind: a stable slug for machines ("too-short", "throttled", "sensor-lost", ...).
        observed: one sentence with the values that were seen.
        remedy: the command, flag or habit that mends it; "" where there is nothing to do.
    """

    kind: str
    observed: str
    remedy: str


def no_sensor() -> Finding:
    """Nothing on this machine could be read."""
    return Finding(
        kind="no-sensor",
        observed="no energy sensor of this machine could be read",
        remedy="run `python -m profiler doctor` to see what is there and what it needs",
    )


def forked() -> Finding:
    """The process was forked after the recording had started."""
    return Finding(
        kind="forked",
        observed="this process was forked from the one that records, and samples nothing itself",
        remedy="start a recording of its own in the child process",
    )
