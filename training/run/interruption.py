"""Ctrl-C and a scheduler's SIGTERM or SIGUSR1: a run finishes its step and keeps what it has."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import TypeGuard

ENDING = (signal.SIGTERM, signal.SIGUSR1)
"""Signals that end a process with the code 128 plus their number, once everything is kept."""
SIGNALS = (signal.SIGINT, *ENDING)


class Interruption:
    """Notes the first signal instead of dying of it; a second one ends the process as usual.

    Signals reach the main thread only: elsewhere this does nothing.

    Attributes:
        number: of the signal that came; None before.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        self._before = {}


def ended_by(number: int | None) -> BaseException:
    """What to raise once everything is kept, as the signal itself would have ended the process."""
    if number in ENDING:
        return SystemExit(128 + number)
    return KeyboardInterrupt()


def is_ended_by_signal(error: BaseException | None) -> TypeGuard[SystemExit]:
    """Whether an error is what a signal raises in a process that is to end by it."""
    return isinstance(error, SystemExit) and error.code in [128 + number for number in ENDING]
