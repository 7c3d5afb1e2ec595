"""Text from outside, made safe to show on one line."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3
"""Names of a list that are told one by one."""


def clean(text: str) -> str:
    """Text on one line without control characters: a name must not move a terminal's cursor."""
    return "".join(char if char.isprintable() else " " for char in text)


def printable(text: str) -> str:
    """Text with the bytes of a file name that are no UTF-8 shown escaped."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def one_line(error: BaseException) -> str:
    """Type and message of an exception, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def some_of(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


def few_digits(value: float, count: int = 2) -> str:
    """A number rounded to so many digits, as people write it: 120, where `.2g` has 1.2e+02."""
    return f"{float(f'{value:.{count}g}'):g}"
