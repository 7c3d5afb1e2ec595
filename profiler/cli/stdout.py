"""Standard output for the result alone, while code that is not ours runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send what a model, its import or a compiler prints to stderr.

    The file descriptor is moved as well: a child process or a C library does not ask Python.
    """
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed by the caller: there is nothing to keep clean
        yield
        return
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 1)
        os.close(kept)
