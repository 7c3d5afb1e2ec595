"""What runs the jobs of a study: the interface of all engines.

An engine runs jobs of different devices side by side and those of one device one after the other.
Whatever befalls a job is its end with a reason, never an exception.
"""

from __future__ import annotations

from typing import Protocol

from .job import EngineJob, JobEnd


class Engine(Protocol):
    """Takes jobs and gives back how they ended."""

    def submit(self, job: EngineJob) -> None:
        """Run a job as soon as its device is free."""

    def wait(self, timeout_s: float) -> tuple[JobEnd, ...]:
        """Jobs that have ended since the last call; () where none does within `timeout_s`."""

    def close(self) -> None:
        """Stop what runs as Ctrl-C would, drop what waits, and leave no process behind."""
