"""Loading the user's own Python: what is imported from where, and what is said when it fails."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from profiler.errors import TargetError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def importable(*folders: Path) -> Iterator[None]:
    """Put folders first on the import path, and our own checkout off it.

    `python -m` has the working folder first; the console script has not. The checkout would offer
    its `models`, `training` and `reports`, which come before a user's folder of that name without
    an `__init__.py`. Afterwards the folders stay at the end of the path, for imports that the model
    makes when it runs.
    """
    before = list(sys.path)
    wanted = [str(folder) for folder in folders]
    foreign = [entry for entry in before if _place(entry) != CHECKOUT]
    sys.path[:] = wanted + foreign
    importlib.invalidate_caches()
    try:
        yield
    finally:
        added = [entry for entry in sys.path if entry not in before]
        sys.path[:] = before + list(dict.fromkeys(added))


def _place(entry: str) -> Path:
    return Path(entry or os.curdir).resolve()


def import_named(name: str) -> ModuleType:
    """Import a module by its dotted name.

    Raises:
        TargetError: it, or something it needs, is not there; or it raised.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"'{name}' is not a module name", hint="the form is package.module")
    _open_folder(name.partition(".")[0], inside="." in name)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise TargetError(
                f"there is no module '{missing}' to import '{name}' from ({error})",
                hint=f"run from the folder that holds {name.split('.')[0]}, or install it",
            ) from error
        raise TargetError(
            f"'{name}' cannot be imported: it needs '{missing}', which is not installed",
            hint=f"pip install the package that provides {missing}",
        ) from error
    # The module is the user's own code and may raise anything, or end the program.
    except (Exception, SystemExit) as error:
        heed_interruption(error)
        raise TargetError(f"importing '{name}' raised {one_line(error)}") from error


def _open_folder(top: str, *, inside: bool) -> None:
    """Make a plain folder importable where a file of the same name would hide it.

    Python takes `models.py` before a folder `models` that has no `__init__.py`; a reference into
    `models.` can only mean the folder, and the file was not asked for.
    """
    folder = Path.cwd() / top
    hidden = folder.with_suffix(".py").is_file() and not (folder / "__init__.py").exists()
    if inside and hidden and folder.is_dir() and top not in sys.modules:
        package = ModuleType(top)
        package.__path__ = [str(folder)]
        sys.modules[top] = package


def run_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own.

    Raises:
        TargetError: there is no such file, or it raised.
    """
    if not path.is_file():
        raise TargetError(f"there is no file '{path}'", hint="the form is path/file.py:callable")
    if path.suffix != ".py":
        raise TargetError(f"'{path}' is no Python file", hint="the form is path/file.py:callable")
    alias = f"_wattprof_file_{path.stem}"
    try:
        return load_module(path, alias)
    # The file is the user's own code and may raise anything, or end the program.
    except (Exception, SystemExit) as error:
        heed_interruption(error)
        raise TargetError(f"running '{path}' raised {one_line(error)}") from error


def load_module(path: Path, alias: str, *, package: bool = False) -> ModuleType:
    """Run a file as the module `alias`; on failure nothing stays behind."""
    folders = [str(path.parent)] if package else None
    spec = spec_from_file_location(alias, path, submodule_search_locations=folders)
    if spec is None or spec.loader is None:
        raise TargetError(f"'{path}' cannot be loaded as Python")
    module = module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[alias]
        raise
    return module
