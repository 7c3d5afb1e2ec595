"""`--input` as a file of arrays. No file is let to run code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from profiler.errors import InputDataError
from profiler.interruption import heed_interruption


def read_inputs(file: Path) -> Any:
    """What a file holds: a tensor, a tuple (positional arguments) or a dict (keywords).

    Raises:
        InputDataError: it is not there, broken, or holds something else than arrays.
    """
    if not file.is_file():
        raise InputDataError(f"--input '{file}': there is no such file")
    read = READERS[file.suffix]
    try:
        return read(file)
    except InputDataError:
        raise
    # Readers of four libraries raise whatever the broken bytes lead them into.
    except Exception as error:
        heed_interruption(error)
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputDataError(
            f"--input '{file}' cannot be read ({told})", hint=f"files are {', '.join(READERS)}"
        ) from error


def _npy(file: Path) -> Any:
    import numpy as np
    import torch

    return torch.from_numpy(np.load(file, allow_pickle=False))


def _npz(file: Path) -> Any:
    """Arrays saved without names (arr_0, ...) are positional."""
    import numpy as np
    import torch

    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: torch.from_numpy(archive[name]) for name in archive.files}
    if all(re.fullmatch(r"arr_\d+", name) for name in arrays):
        return tuple(arrays[name] for name in sorted(arrays, key=lambda name: int(name[4:])))
    return arrays


def _torch(file: Path) -> Any:
    import torch

    stored = torch.load(file, map_location="cpu", weights_only=True)
    if isinstance(stored, list):
        stored = tuple(stored)
    if not isinstance(stored, (torch.Tensor, tuple, dict)):
        kind = type(stored).__name__
        raise InputDataError(
            f"--input '{file}' holds a {kind}", hint="save a tensor, a tuple, a list or a dict"
        )
    return stored


def _safetensors(file: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(file)


def _json(file: Path) -> Any:
    """Nested lists of numbers become tensors; an object is keywords, a list is one tensor."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(stored, dict):
        return {name: _tensor(value) for name, value in stored.items()}
    if isinstance(stored, list):
        return _tensor(stored)
    raise InputDataError(
        f"--input '{file}' holds a {type(stored).__name__}",
        hint="write an object of arguments by name, or a list of numbers",
    )


def _tensor(value: Any) -> Any:
    import torch

    return torch.tensor(value) if isinstance(value, list) else value


READERS: dict[str, Callable[[Path], Any]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".pt": _torch,
    ".pth": _torch,
    ".safetensors": _safetensors,
    ".json": _json,
}
