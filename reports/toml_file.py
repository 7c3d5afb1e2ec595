"""Reading a TOML file with every complaint naming the file and the field."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .data_error import ReportDataError

_NUMBER = (int, float)


class TomlTable:
    """One table of a TOML file, read field by field; what was not asked for is a mistake."""

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, dict):
            raise ReportDataError(f"{place} is no table")
        self._values: dict[str, Any] = values
        self._asked: set[str] = set()
        self.place = place

    def text(self, field: str) -> str:
        """A text that must be there and not be empty."""
        found = self.optional_text(field)
        if not found:
            raise ReportDataError(f"{self.place} lacks the text '{field}'")
        return found

    def optional_text(self, field: str) -> str | None:
        """A text, or None."""
        found: str | None = self._typed(field, str, "text")
        return found

    def number(self, field: str) -> float | None:
        """A number, or None."""
        found: float | None = self._typed(field, _NUMBER, "number")
        return found

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts; () where it is not there."""
        found = self._typed(field, list, "list") or []
        if not all(isinstance(item, str) for item in found):
            raise ReportDataError(f"{self.place}: '{field}' holds something that is no text")
        return tuple(found)

    def tables(self, field: str) -> list[TomlTable]:
        """A list of tables; [] where it is not there."""
        found = self._typed(field, list, "list") or []
        return [TomlTable(item, f"{self.place}: {field} {n}") for n, item in enumerate(found, 1)]

    def table(self, field: str) -> TomlTable:
        """A table that must be there."""
        self._asked.add(field)
        return TomlTable(self._values.get(field), f"{self.place}: {field}")

    def end(self) -> None:
        """Complain of the fields that nobody asked for."""
        unknown = sorted(self._values.keys() - self._asked)
        if unknown:
            raise ReportDataError(f"{self.place} has the unknown field '{unknown[0]}'")

    def _typed(self, field: str, kind: Any, word: str) -> Any:
        self._asked.add(field)
        found = self._values.get(field)
        if found is not None and (not isinstance(found, kind) or isinstance(found, bool)):
            raise ReportDataError(f"{self.place}: '{field}' is no {word}: {found!r}")
        return found


def read_toml(file: Path) -> TomlTable:
    """Read a file.

    Raises:
        ReportDataError: it cannot be read, or is no TOML.
    """
    try:
        return TomlTable(tomllib.loads(file.read_text(encoding="utf-8")), file.name)
    except OSError as error:
        raise ReportDataError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ReportDataError(f"{file.name} is no TOML: {error}") from error


def files_in(folder: Path) -> Iterable[Path]:
    """The TOML files of a folder, by name."""
    return sorted(folder.glob("*.toml"))
