"""Reading the small files of sysfs and procfs."""

from __future__ import annotations

import re
from pathlib import Path


class SysfsReader:
    """Reads one value a file. A seam: tests hand meters another, whose files move or refuse."""

    def text(self, path: Path) -> str:
        """The content without its line end; bytes that are no ASCII are shown escaped.

        Raises `OSError`, `PermissionError` among them, as the kernel gives it.
        """
        with path.open(encoding="ascii", errors="backslashreplace") as file:
            return file.read().strip()

    def number(self, path: Path) -> float:
        """The content as a number.

        Raises `OSError`, or `ValueError` where it is none.
        """
        return float(self.text(path))

    def folders(self, root: Path) -> list[Path]:
        """Folders in `root`, hwmon2 before hwmon10; [] where it cannot be listed."""
        try:
            return sorted(root.iterdir(), key=_numbered)
        except OSError:
            return []

    def real(self, folder: Path) -> Path:
        """Where the links to a folder lead, which goes on to mean the same device.

        A driver that is loaded again has another number, and its old one may be given away.
        """
        return folder.resolve()

    def has(self, path: Path) -> bool:
        """Whether the file exists."""
        return path.exists()

    def link_target(self, path: Path) -> str | None:
        """Last name of what a link leads to; None where there is no such link."""
        try:
            return path.resolve(strict=True).name if path.is_symlink() else None
        except OSError:
            return None


def _numbered(path: Path) -> list[tuple[str, int]]:
    """Digits compared by their value."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", path.name)]


def permission_remedy(once: str, lasting: str) -> str:
    """The two commands that let a user read a file of root's: now, and after every boot."""
    return f"{once} (until the next boot), or for good: {lasting}"
