"""Loading the user's own Python: what is imported from where, and what is said when it fails."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from profiler.errors import TargetError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

CHECKOUT = Path(__file__).resolve().parents[2]
SHOWN_NAMES = 8
Result = TypeVar("Result")


def with_named(reference: str, use: Callable[[object], Result]) -> Result:
    """Find what `package.module:name` or `path/file.py:name` names, and use it.

    Both happen with the folder of the file, or the working folder, first on the import path: what
    is called may import, too.

    Raises:
        TargetError: there is no such module, file or name, or running it raised.
    """
    prefix, _, dotted = reference.rpartition(":")
    is_file = prefix.endswith(".py") or "/" in prefix
    path = Path(prefix).expanduser()
    folders = (path.resolve().parent, Path.cwd()) if is_file else (Path.cwd(),)
    with importable(*folders):
        module = run_file(path) if is_file else import_named(prefix)
        return use(_attribute(module, dotted, prefix))


def run_named_file(name: str) -> ModuleType:
    """Run a Python file with its own folder importable, as `with_named` does."""
    path = Path(name).expanduser()
    with importable(path.resolve().parent, Path.cwd()):
        return run_file(path)


def call(
    found: Callable[..., object], reference: str, arguments: Mapping[str, Any], *, deed: str
) -> object:
    """Call the user's own function; `deed` is what that is for ("building").

    Raises:
        TargetError: it raised, or ended the program.
    """
    try:
        return found(**arguments)
    # It is the user's own code and may raise anything, or end the program.
    except (Exception, SystemExit) as error:
        heed_interruption(error)
        raise TargetError(
            f"{deed} '{reference}' raised {one_line(error)}",
            hint="name a class or a function that needs no arguments",
        ) from error


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: those that are like it."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else ""


def _attribute(module: ModuleType, dotted: str, origin: str) -> object:
    found: object = module
    for name in dotted.split("."):
        if not hasattr(found, name):
            own = callables_in(found)
            raise TargetError(
                f"'{origin}' has no '{name}'{nearest(name, own)}", hint=offer(origin, own)
            )
        found = getattr(found, name)
    return found


def callables_in(holder: object) -> list[str]:
    """Public classes, functions and models of a module that are its own, in their order."""
    from torch import nn

    own = getattr(holder, "__module__", None) or getattr(holder, "__name__", "")
    names = []
    for name, value in vars(holder).items():
        is_named = inspect.isclass(value) or inspect.isroutine(value)
        # Not what it has from a library: the package that it lies in counts as its own.
        home = str(getattr(value, "__module__", "") or "").partition(".")[0]
        is_own = home == str(own).partition(".")[0] if is_named else isinstance(value, nn.Module)
        if is_own and not name.startswith("_"):
            names.append(name)
    return names


def offer(origin: str, names: Sequence[str]) -> str:
    """A hint: what can be named in a module."""
    if not names:
        return f"'{origin}' has no public class or function of its own"
    shown = [f"{origin}:{name}" for name in names[:SHOWN_NAMES]]
    rest = len(names) - len(shown)
    return f"name one of {', '.join(shown)}" + (f" and {rest} more" if rest else "")


def module_named(name: str) -> ModuleType | None:
    """The module of that dotted name from the working folder; None where there is none.

    Raises:
        TargetError: it is there, and importing it raised.
    """
    with importable(Path.cwd()):
        try:
            if find_spec(name) is None:
                return None
        except (ImportError, ValueError):
            return None
        return import_named(name)


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
