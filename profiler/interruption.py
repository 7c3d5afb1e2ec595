"""Whether somebody wants the program to end, asked where an exception may hide it.

Code that is not ours may turn the KeyboardInterrupt that is raised inside it into another error, or
lose it: a tracer, an import that is under way, a destructor. So a program notes the signal, and
whoever catches more than its own errors asks here before it goes on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_noted: list[list[int]] = []


@contextmanager
def noted_interruptions() -> Iterator[list[int]]:
    """Fill a list when Ctrl-C is pressed; KeyboardInterrupt is raised all the same."""
    seen: list[int] = []
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield seen
        return

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    _noted.append(seen)
    try:
        yield seen
    finally:
        _noted.remove(seen)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def heed_interruption(error: BaseException | None = None) -> None:
    """Raise KeyboardInterrupt where Ctrl-C was pressed, or where an error hides one.

    Args:
        error: what was caught, if anything.
    """
    if any(_noted) or _hides_one(error):
        raise KeyboardInterrupt from error


def _hides_one(error: BaseException | None) -> bool:
    """Whether KeyboardInterrupt is in the chain of causes, or in the words that C++ made of it."""
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        if isinstance(error, KeyboardInterrupt) or KeyboardInterrupt.__name__ in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
