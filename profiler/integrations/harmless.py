"""What goes wrong inside a callback is one warning, and never the end of somebody's training."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

from profiler.errors import ProfilerError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

# Not `warnings`: under `-W error` a warning would end the job that it must not end.
logger = logging.getLogger("profiler.integrations")

MEASURE = "measure the energy of this job"


class Shield:
    """Swallows exceptions, and says once for each activity what failed.

    Ctrl-C and the end of the program pass.
    """

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}

    @contextmanager
    def __call__(self, doing: str) -> Iterator[None]:
        """Run the enclosed code; `doing` says what it is for, as in "log to CSVLogger"."""
        try:
            yield
        except Exception as error:  # a sensor, a disk, a logger: none may end the user's job
            heed_interruption(error)
            reason = error.message if isinstance(error, ProfilerError) else one_line(error)
            if doing not in self.failures:
                logger.warning("could not %s, training goes on: %s", doing, reason)
            self.failures.setdefault(doing, reason)


class Shielded(Protocol):
    """Something whose hooks a host calls."""

    @property
    def shield(self) -> Shield:
        """Where failures go."""
        ...

    def give_up(self) -> None:
        """End the measurement: an edge was missed, and no later number would be right."""
        ...


Hook = TypeVar("Hook", bound=Callable[..., None])


def harmless(hook: Hook) -> Hook:
    """A hook that cannot fail: its first exception ends the measurement, and nothing else."""

    @functools.wraps(hook)
    def run(owner: Shielded, *arguments: Any, **named: Any) -> None:
        was_sound = MEASURE not in owner.shield.failures
        with owner.shield(MEASURE):
            hook(owner, *arguments, **named)
        if was_sound and MEASURE in owner.shield.failures:
            owner.give_up()

    return cast(Hook, run)
