"""Where runs lie: names, listing, finding, and writing a folder whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from profiler.errors import StoreError
from profiler.files import PARTIAL_SUFFIX, _short_id, slug

PROFILE_FILE = "profile.json"

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
