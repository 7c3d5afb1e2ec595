"""Libraries that neither phone home nor print while they are used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# OpenVINO and NNCF report their use over the network by default, from a thread of the very process
# that is measured. Both leave it out where these are set when they are imported.
_NO_TELEMETRY = {"CI": "true", "NNCF_CI": "1"}


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Imports inside see the settings of a machine that must not report anything."""
    before = {name: os.environ.get(name) for name in _NO_TELEMETRY}
    os.environ.update(_NO_TELEMETRY)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def without_output() -> Iterator[None]:
    """Drop what C++ code inside writes to stdout and stderr; errors come as exceptions."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    try:
        kept = [(number, os.dup(number)) for number in (1, 2)]
    except OSError:  # closed by the caller: nothing can be written to them
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number, _ in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        os.close(nowhere)
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
