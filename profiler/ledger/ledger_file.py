"""The file of a ledger: whole lines, only ever appended, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from io import FileIO
from pathlib import Path

from profiler.errors import StoreError
from profiler.values.codec import FormError

from .lines import LedgerLine, read_line, written

LOCK_ATTEMPTS = 40
LOCK_STEP_S = 0.05

_open_files: weakref.WeakSet[LedgerFile] = weakref.WeakSet()


class LinesInMemory:
    """The lines of a ledger that has no folder."""

    failure: str | None = None

    def __init__(self) -> None:
        self._lines: list[LedgerLine] = []

    def append(self, *lines: LedgerLine) -> None:
        """Keep further lines."""
        self._lines += lines

    def lines(self) -> tuple[LedgerLine, ...]:
        """Everything appended so far."""
        return tuple(self._lines)

    def close(self) -> None:
        """Nothing is held."""


def ledger_path(folder: Path, host: int) -> Path:
    """The ledger of one host."""
    return folder / ("ledger.jsonl" if host == 0 else f"ledger-host{host}.jsonl")


def journal_name(segment: int, host: int) -> str:
    """The file with the raw readings of a segment."""
    return f"journal-{segment}.jsonl" if host == 0 else f"journal-{segment}-host{host}.jsonl"


class LedgerFile:
    """Appends lines, each as a whole; what a full disk refuses is kept in memory and retried.

    The lock on the file tells a segment that is running from one that was killed, and keeps a
    second process from training in the same folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: str | None = None
        """Why the latest lines are in memory alone; None where the file holds everything."""
        self._file: FileIO | None = None
        self._unwritten: list[LedgerLine] = []

    def open(self) -> LedgerFile:
        """Create or go on with the file; a line that a killed process tore is cut off.

        Raises:
            StoreError: it cannot be written, or another process holds it.
        """
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise StoreError(
                f"the ledger {self.path} cannot be written ({error.strerror})",
                hint="name a folder that you may write to with --out",
            ) from error
        if not _lock(self._file):
            self.close()
            raise StoreError(
                f"another process is training in {self.path.parent}",
                hint="wait for it, or name another folder with --out",
            )
        whole = self.path.read_bytes().rfind(b"\n") + 1
        if whole < os.fstat(self._file.fileno()).st_size:
            os.ftruncate(self._file.fileno(), whole)
        _open_files.add(self)
        return self

    def append(self, *lines: LedgerLine) -> None:
        """Write lines as a whole; never raises, also not in a forked child."""
        if self._file is None:
            return
        self._unwritten += lines
        text = b"".join(map(written, self._unwritten))
        size = os.fstat(self._file.fileno()).st_size
        try:
            while text:
                text = text[self._file.write(text) :]
        except OSError as error:
            self.failure = error.strerror or str(error)
            self._take_back(size)
            return
        self._unwritten, self.failure = [], None

    def _take_back(self, size: int) -> None:
        """Cut off what a full disk took of a line, so that the next attempt begins a new one."""
        if self._file is not None and os.fstat(self._file.fileno()).st_size > size:
            os.ftruncate(self._file.fileno(), size)

    def lines(self) -> tuple[LedgerLine, ...]:
        """Everything appended so far, by earlier processes too, in the order of writing."""
        return (*read_lines(self.path), *self._unwritten)

    def close(self) -> None:
        """Let go of the file and its lock."""
        if self._file is not None:
            self._file.close()
            self._file = None
        _open_files.discard(self)


def _lock(file: FileIO) -> bool:
    """Take the lock; a reader that looks whether it is held has it for a moment only."""
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_STEP_S)
        except OSError:
            return True  # a file system without locks: nobody can be kept out
        else:
            return True
    return False


def is_held(path: Path) -> bool:
    """Whether a living process appends to this ledger."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_lines(path: Path) -> tuple[LedgerLine, ...]:
    """All whole lines of a ledger; one that was being written when its process died is no line.

    Raises:
        StoreError: the file cannot be read, or a line of it is no ledger line.
    """
    try:
        texts = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise StoreError(f"the ledger {path} cannot be read ({error.strerror})") from error
    lines = []
    for number, text in enumerate(texts, start=1):
        try:
            lines.append(read_line(text))
        except FormError as error:
            raise StoreError(
                f"line {number} of {path} is not a ledger line: {error}",
                hint="the lines before and after it are sound; take this one out to read them",
            ) from error
    return tuple(lines)


def _after_fork_in_child() -> None:
    """A child writes no line, and its copy of the file must not keep the lock alive."""
    for file in list(_open_files):
        file.close()


os.register_at_fork(after_in_child=_after_fork_in_child)
