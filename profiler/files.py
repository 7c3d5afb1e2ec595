"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .errors import StoreError

PARTIAL_SUFFIX = ".partial"


_SLUG_LENGTH = 48


def slug(name: str) -> str:
    """A name as one harmless path component: no separators, no leading dot, never empty."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    return safe[:_SLUG_LENGTH].rstrip("-._") or "run"


def write_whole_folder(path: Path, writers: dict[str, Callable[[Path], None]]) -> Path:
    """Make the folder `path` with one file a writer; it appears under its name only when whole.

    Raises:
        StoreError: it exists already, or it could not be written; nothing is left behind then.
    """
    if path.exists():
        raise StoreError(f"{path} exists already", hint="give another path; runs are not replaced")
    partial = path.with_name(f"{path.name}.{_short_id()}{PARTIAL_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        for name, write in writers.items():
            write(partial / name)
            flush_to_disk(partial / name)
        flush_to_disk(partial)
        partial.rename(path)
        flush_to_disk(path.parent)
    except OSError as error:
        _remove(partial)
        raise cannot_write(path, error) from error
    except BaseException:
        # Ctrl-C and faulty data alike must leave nothing that looks like a run.
        _remove(partial)
        raise
    return path


def _remove(folder: Path) -> None:
    """Remove what was begun."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _short_id() -> str:
    return os.urandom(3).hex()


def write_whole_file(path: Path, text: str) -> Path:
    """Write a file that readers see either as it was or as it is now.

    Raises:
        StoreError: it could not be written; what was there before is untouched.
    """
    return replace_whole_file(
        path, lambda partial: partial.write_text(text, encoding="utf-8", newline="")
    )


def replace_whole_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Put a file that `write` makes in the place of `path`, whole and on the disk, or not at all.

    Args:
        path: the file; its folder is made.
        write: given another path in the same folder, writes the file there.

    Raises:
        StoreError: it could not be written; what was there before is untouched.
    """
    partial = path.with_name(f"{path.name}.{_short_id()}{PARTIAL_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        flush_to_disk(partial)
        partial.replace(path)
        flush_to_disk(path.parent)
    except OSError as error:
        _unlink(partial)
        raise cannot_write(path, error) from error
    except BaseException:
        # Ctrl-C must leave no large file behind that nothing reads.
        _unlink(partial)
        raise
    return path


def _unlink(partial: Path) -> None:
    """Remove what was begun, where the folder still lets us."""
    with suppress(OSError):
        partial.unlink()


def check_writable(folder: Path) -> None:
    """Before minutes of work: a run can be written into or below `folder` at the end.

    Raises:
        StoreError: it cannot.
    """
    import tempfile

    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        # Asking for the permission is not enough: the super-user has it even in /proc.
        with tempfile.TemporaryDirectory(prefix=".wattprof-", dir=existing):
            pass
    except OSError as error:
        raise StoreError(
            f"runs cannot be written to {folder}: {error.strerror}",
            hint="name a folder of yours with --out",
        ) from error


def flush_to_disk(path: Path) -> None:
    """Ask the kernel to put a file or a folder's entries on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The error that a user meets for a failed write."""
    hints = {
        errno.ENOSPC: "make room on the disk, or give --out a path on another one",
        errno.EDQUOT: "make room in your quota, or give --out a path on another disk",
        errno.EACCES: "give --out a path that you may write to",
        errno.EROFS: "give --out a path that you may write to",
        errno.ENOTDIR: "a part of the path is a file; give --out another path",
    }
    hint = hints.get(error.errno or 0, "give --out another path")
    return StoreError(f"cannot write {path}: {error.strerror or error}", hint=hint)
