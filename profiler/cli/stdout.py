"""Standard output for the result alone, while code that is not ours runs."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

ESCAPES = "wattprof.json-escapes"


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


def write_anywhere() -> None:
    """Let a terminal of another encoding, or a name that is no UTF-8, never end a program.

    A character that stdout cannot take is written as JSON escapes it, so that JSON stays JSON.
    """
    codecs.register_error(ESCAPES, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPES)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[place : place + 2].hex() for place in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end
