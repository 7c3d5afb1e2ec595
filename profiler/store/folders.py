"""Where runs lie: names, listing, finding, and writing a folder whole or not at all."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from profiler.errors import StoreError

PROFILE_FILE = "profile.json"
PARTIAL_SUFFIX = ".partial"

_SLUG_LENGTH = 48
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A folder under the root of runs.

    Args:
        path: the folder.
        complete: False for what a killed run left behind.
    """

    path: Path
    complete: bool


def slug(name: str) -> str:
    """A name as one harmless path component: no separators, no leading dot, never empty."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    return safe[:_SLUG_LENGTH].rstrip("-._") or "run"


def new_run_path(root: str | Path, name: str) -> Path:
    """A path under `root` that no run has: `<utc>-<name>-<short id>`. Creates nothing."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for _ in range(_ATTEMPTS):
        path = Path(root) / f"{now}-{slug(name)}-{_short_id()}"
        if not path.exists():
            return path
    raise StoreError(f"no free name for a run {slug(name)!r} in {root}", hint="give another --out")


def list_runs(root: str | Path) -> tuple[StoredRun, ...]:
    """Every run under `root`, oldest first, those that were cut short included.

    Raises:
        StoreError: the root is there but cannot be read. An absent root holds no runs.
    """
    root = Path(root)
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"cannot read {root}: {error.strerror}") from error
    runs = (
        StoredRun(path=path, complete=not path.name.endswith(PARTIAL_SUFFIX)) for path in folders
    )
    return tuple(run for run in runs if not run.complete or (run.path / PROFILE_FILE).is_file())


def resolve_runs(reference: str | Path, root: str | Path = "runs") -> list[Path]:
    """What a reference on the command line stands for.

    Args:
        reference: a run's folder, a folder of such folders, a `profile.json`, a file made by
            `measure --json`, or a part of a run's name that only one run under `root` has.
        root: where to look for names.

    Returns:
        Paths for `load_all`, oldest first.

    Raises:
        StoreError: nothing fits, or more than one run does.
    """
    path = Path(reference)
    if path.name.endswith(PARTIAL_SUFFIX) and path.is_dir():
        raise StoreError(f"{path} was cut short and holds no result", hint="measure it again")
    if path.is_file() or (path / PROFILE_FILE).is_file():
        return [path]
    if path.is_dir():
        inside = [run.path for run in list_runs(path) if run.complete]
        if inside:
            return inside
        raise StoreError(
            f"{path} holds no runs", hint="name a folder that holds profile.json, or its parent"
        )
    return [_find_by_name(str(reference), Path(root))]


def _find_by_name(reference: str, root: Path) -> Path:
    complete = [run.path for run in list_runs(root) if run.complete]
    matches = [path for path in complete if reference and reference in path.name]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise StoreError(
            f"no file, folder or run is called {reference!r}",
            hint=f"`python -m profiler runs` lists the {len(complete)} runs in {root}",
        )
    names = ", ".join(path.name for path in matches[:4]) + (", ..." if len(matches) > 4 else "")
    raise StoreError(
        f"{len(matches)} runs are called {reference!r}: {names}", hint="give more of the name"
    )


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
