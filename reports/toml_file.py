"""Reading a TOML file with every complaint naming the file and the field."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from profiler.values.codec import FormError, decode, parse_toml

from .data_error import ReportDataError

T = TypeVar("T")


def read_toml(file: Path, kind: type[T]) -> T:
    """The dataclass that a file holds; a field that it does not have is a mistake.

    Raises:
        ReportDataError: it cannot be read, is no TOML, or is not of that form.
    """
    try:
        return decode(parse_toml(file.read_bytes()), kind, strict=True)
    except OSError as error:
        raise ReportDataError(f"{file} cannot be read: {error.strerror}") from error
    except FormError as error:
        raise wrong_in(file, error) from error


def wrong_in(file: Path, error: FormError) -> ReportDataError:
    """The complaint about a file that is not of the form asked for."""
    place = f"{file.name}:" if error.where else file.name
    return ReportDataError(f"{place} {error if error.where else error.problem}")


def files_in(folder: Path) -> Iterable[Path]:
    """The TOML files of a folder, by name."""
    return sorted(folder.glob("*.toml"))
