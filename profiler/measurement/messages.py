"""Lines of JSON between a measurement and its worker processes."""

from __future__ import annotations

import json
import traceback
from typing import IO, Any

from profiler import errors
from profiler.errors import MeasurementError, ProfilerError


def send(stream: IO[str], message: dict[str, Any]) -> None:
    """Write one message, now."""
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def receive(stream: IO[str]) -> dict[str, Any] | None:
    """The next message; None where the other side is gone."""
    line = stream.readline()
    message = json.loads(line) if line.endswith("\n") else None
    return message if isinstance(message, dict) else None


def error_message(error: Exception) -> dict[str, Any]:
    """An error as a message, with the traceback that `--debug` shows."""
    known = error if isinstance(error, ProfilerError) else None
    return {
        "error": type(error).__name__ if known else ProfilerError.__name__,
        "message": known.message if known else f"unexpected {type(error).__name__}: {error}",
        "hint": known.hint if known else "add --debug for the traceback, and report it",
        "traceback": "".join(traceback.format_exception(error)),
    }


def error_from(message: dict[str, Any]) -> ProfilerError:
    """The error that a message tells of."""
    kind = getattr(errors, message["error"], MeasurementError)
    error: ProfilerError = kind(message["message"], hint=message["hint"])
    error.add_note(message["traceback"])
    return error
