"""Weights from a file into a model, without ever running code that the file holds."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import CheckpointError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import clean

if TYPE_CHECKING:
    from torch import Tensor, nn

CONTAINERS = ("state_dict", "model_state_dict", "model")
WRAPPERS = ("module.", "_orig_mod.")
SHOWN_KEYS = 3
OTHER_MODEL = "name the model that these weights were trained for"


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a state dict into a model; the model is left as it was when this raises.

    Reads `.safetensors`, or a file of `torch.save` that holds a state dict, alone or under
    "state_dict", "model_state_dict" or "model". A prefix "module." (DataParallel) or "_orig_mod."
    (torch.compile) common to all keys is dropped.

    Raises:
        CheckpointError: the file is absent, empty or broken, wants to run code, holds no state
            dict, does not fit the model, or holds NaN or infinite weights.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise CheckpointError(f"there is no checkpoint '{file}'")
    if file.stat().st_size == 0:
        raise CheckpointError(f"the checkpoint '{file}' is empty")
    stored = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    fit_weights(model, stored, file)


def fit_weights(model: nn.Module, stored: object, file: Path) -> None:
    """Load what was read from a file, as `load_weights` does.

    Args:
        model: left as it was when this raises.
        stored: a state dict, or what holds one.
        file: named in the errors.

    Raises:
        CheckpointError: it is no state dict, does not fit, or holds NaN or infinite weights.
    """
    weights = _unwrapped(_state_dict(stored, file))
    own = model.state_dict()
    _check_keys(weights, own, file)
    for name, tensor in weights.items():
        _check_tensor(name, tensor, own[name], file)
    # Files older than BatchNorm's step counter lack it, and inference does not use it.
    model.load_state_dict({**_counters(own), **weights})


def _read_safetensors(file: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"'{file}' is no safetensors file that can be read ({_line(error)})"
        ) from error


def _read_torch(file: Path) -> Any:
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted is None:
            raise CheckpointError(f"'{file}' is no checkpoint that can be read safely") from error
        raise CheckpointError(
            f"'{file}' wants to run {wanted[1]} when loaded, and is refused",
            hint="save model.state_dict() alone, or convert the file to safetensors where you "
            "trust it",
        ) from error
    # A damaged archive surfaces as whatever its broken bytes lead torch's reader into.
    except Exception as error:
        heed_interruption(error)
        raise CheckpointError(
            f"'{file}' is no checkpoint that can be read ({_line(error)})",
            hint="give a .safetensors file, or one written by torch.save(model.state_dict(), ...)",
        ) from error


def _state_dict(stored: Any, file: Path) -> dict[str, Any]:
    """The mapping from names to tensors, wherever the file keeps it."""
    if isinstance(stored, Mapping):
        inner = next((stored[key] for key in CONTAINERS if key in stored), stored)
        if not isinstance(inner, Mapping):
            inner = stored
        named = {str(key): value for key, value in inner.items()}
        if named and all(_is_tensor(value) for value in named.values()):
            return named
    raise CheckpointError(
        f"'{file}' holds no state dict but a {type(stored).__name__}",
        hint="save it with torch.save(model.state_dict(), ...)",
    )


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _unwrapped(weights: dict[str, Any]) -> dict[str, Any]:
    for prefix in WRAPPERS * 2:  # compiled inside DataParallel, or the reverse
        if all(key.startswith(prefix) for key in weights):
            weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights


def _counters(own: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}


def _check_keys(weights: Mapping[str, Any], own: Mapping[str, Any], file: Path) -> None:
    missing = [name for name in own if name not in weights and name not in _counters(own)]
    unexpected = [name for name in weights if name not in own]
    if missing or unexpected:
        problems = [
            f"{word} {_first(names)}"
            for word, names in (("lacks", missing), ("has the unknown", unexpected))
            if names
        ]
        raise CheckpointError(
            f"'{file}' does not fit the model: it {' and '.join(problems)}",
            hint=OTHER_MODEL,
        )


def _first(names: list[str]) -> str:
    rest = len(names) - SHOWN_KEYS
    shown = ", ".join(clean(name) for name in names[:SHOWN_KEYS])
    return shown + (f" and {rest} more" if rest > 0 else "")


def _check_tensor(name: str, tensor: Tensor, own: Tensor, file: Path) -> None:
    import torch
    from torch.nn.parameter import is_lazy

    if not is_lazy(own) and tensor.shape != own.shape:
        raise CheckpointError(
            f"'{name}' in '{file}' has shape {_times(tensor.shape)}, the model's has "
            f"{_times(own.shape)}",
            hint=_hint(tensor, own),
        )
    if tensor.is_floating_point() != own.is_floating_point():
        raise CheckpointError(
            f"'{name}' in '{file}' is {tensor.dtype}, the model's is {own.dtype}",
            hint=OTHER_MODEL,
        )
    if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
        kind = "NaN" if torch.isnan(tensor.float()).any() else "infinite values"
        raise CheckpointError(f"'{name}' in '{file}' holds {kind}")


def _hint(tensor: Tensor, own: Tensor) -> str:
    if tensor.dim() and tensor.shape[1:] == own.shape[1:]:
        return f"{OTHER_MODEL}; if it has {len(tensor)} classes, give --classes {len(tensor)}"
    return OTHER_MODEL


def _times(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
