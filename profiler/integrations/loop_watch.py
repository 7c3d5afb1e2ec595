"""Noticing that a loop was left by an exception, where its host has no event for that."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType

POLL_S = 0.1
PASSED_THROUGH = ("profiler.", "contextlib", "transformers.trainer_callback")


def calling_loop() -> CodeType | None:
    """The code of the host's loop that called into a callback."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(PASSED_THROUGH):
        frame = frame.f_back
    return None if frame is None else frame.f_code


class LoopWatch:
    """Calls back, from a thread of its own, soon after a loop of this thread has been left.

    Args:
        loop: the code of a function that is running in the calling thread.
        on_left: called once, unless `stop` comes first.
    """

    def __init__(self, loop: CodeType | None, on_left: Callable[[], None]) -> None:
        self._loop = loop
        self._on_left = on_left
        self._thread_id = threading.get_ident()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wattprof-watch", daemon=True)

    def start(self) -> LoopWatch:
        """Begin to watch."""
        if self._loop is not None:
            self._thread.start()
        return self

    def stop(self) -> None:
        """The loop came to its end by itself."""
        self._over.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(POLL_S):
            if not self._is_inside():
                self._over.set()
                self._on_left()

    def _is_inside(self) -> bool:
        frame = sys._current_frames().get(self._thread_id)
        while frame is not None:
            if frame.f_code is self._loop:
                return True
            frame = frame.f_back
        return False
