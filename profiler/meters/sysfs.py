"""Reading the small files of sysfs and procfs."""

from __future__ import annotations

from pathlib import Path


class SysfsReader:
    """Reads one value a file. A seam: tests hand meters another, whose files move or refuse."""

    def text(self, path: Path) -> str:
        """The content without its line end.

        Raises `OSError`, `PermissionError` among them, as the kernel gives it.
        """
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read().strip()

    def number(self, path: Path) -> float:
        """The content as a number.

        Raises `OSError`, or `ValueError` where it is none.
        """
        return float(self.text(path))

    def folders(self, root: Path) -> list[Path]:
        """Folders in `root`, in order of name; [] where it cannot be listed."""
        try:
            return sorted(root.iterdir())
        except OSError:
            return []

    def has(self, path: Path) -> bool:
        """Whether the file exists."""
        return path.exists()


def permission_remedy(once: str, lasting: str) -> str:
    """The two commands that let a user read a file of root's: now, and after every boot."""
    return f"{once} (until the next boot), or for good: {lasting}"
