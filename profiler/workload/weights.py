"""Weights from a file into a model, without ever running code that the file holds."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import CheckpointError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import clean

if TYPE_CHECKING:
    from torch import Tensor, nn

CONTAINERS = (
    "state_dict", "model_state_dict", "model", "net", "network", "weights",
    "state_dict_ema", "ema_state_dict", "model_ema", "ema",
)  # fmt: skip
"""Where programs keep a state dict; averaged weights are taken where there are no others."""
SHOWN_KEYS = 3
SAVE_ALONE = "save model.state_dict() alone, or convert the file to safetensors where you trust it"
OTHER_MODEL = "name the model that these weights were trained for"


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a state dict into a model; the model is left as it was when this raises.

    Reads `.safetensors`, or a file of `torch.save` that holds a state dict, alone or under a name
    of `CONTAINERS`. A prefix before the model's own names, as DataParallel ("module."),
    torch.compile ("_orig_mod.") or Lightning ("model.") put it, is dropped.

    Raises:
        CheckpointError: the file is absent, empty or broken, wants to run code, holds no state
            dict, does not fit the model, or holds NaN or infinite weights.
    """
    file = Path(path).expanduser()
    fit_weights(model, read_weights(file), file, takes_classes=True)


def read_weights(file: Path) -> dict[str, Any]:
    """The state dict in a file, wherever it is kept there.

    Raises:
        CheckpointError: the file is absent, empty or broken, wants to run code, or holds none.
    """
    if not file.is_file():
        raise CheckpointError(f"there is no checkpoint '{file}'")
    if file.stat().st_size == 0:
        raise CheckpointError(f"the checkpoint '{file}' is empty")
    stored = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    return _state_dict(stored, file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How the names in a file became those of a model.

    Args:
        prefix: what was dropped before each; "" for nothing.
        unused: names without that prefix, which are of no part of the model.
        fresh: of the model's last layers, which stayed as they were: the file knows another number
            of classes.
    """

    prefix: str
    unused: tuple[str, ...]
    fresh: tuple[str, ...] = ()


def fit_weights(
    model: nn.Module,
    stored: object,
    file: Path,
    *,
    takes_classes: bool = False,
    class_count: int | None = None,
) -> Fit:
    """Load what was read from a file, as `load_weights` does.

    Args:
        model: left as it was when this raises.
        stored: a state dict, or what holds one.
        file: named in the errors.
        takes_classes: whether the user has a flag --classes.
        class_count: outputs of the model, where the file may know another number of classes: the
            layers that tell those apart stay as they are. None where it may not.

    Raises:
        CheckpointError: it is no state dict, does not fit, or holds NaN or infinite weights.
    """
    named = _state_dict(stored, file)
    own = model.state_dict()
    prefix = _prefix(named, own)
    weights = {name[len(prefix) :]: item for name, item in named.items() if name.startswith(prefix)}
    _check_keys(weights, own, file)
    fresh = () if class_count is None else _heads(weights, own, class_count)
    for name in fresh:
        del weights[name]
    for name, tensor in weights.items():
        _check_tensor(name, tensor, own[name], file, takes_classes)
    # Files older than BatchNorm's step counter lack it, and inference does not use it.
    kept = {name: own[name] for name in fresh}
    model.load_state_dict({**_counters(own), **kept, **weights})
    unused = tuple(name for name in named if not name.startswith(prefix))
    return Fit(prefix=prefix, unused=unused, fresh=fresh)


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
            raise CheckpointError(
                f"'{file}' is no checkpoint that can be read safely", hint=SAVE_ALONE
            ) from error
        raise CheckpointError(
            f"'{file}' wants to run {wanted[1]} when loaded, and is refused",
            hint=SAVE_ALONE,
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
        kept = (stored[key] for key in CONTAINERS if isinstance(stored.get(key), Mapping))
        inner = next((item for item in kept if item), stored)
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


def _prefix(named: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """What stands before most of the model's own names; the shortest of several, "" for nothing.

    Where most names in a file do not begin with it, the file is of a larger model than this one.
    """
    found = {""}
    for name in list(own)[:SHOWN_KEYS]:
        found |= {key.removesuffix(name) for key in named if key.endswith(f".{name}")}
    prefix = min(
        sorted(found, key=len),
        key=lambda prefix: -sum(f"{prefix}{name}" in named for name in own),
    )
    begin = sum(key.startswith(prefix) for key in named)
    return prefix if 2 * begin >= len(named) else ""


def _heads(weights: Mapping[str, Any], own: Mapping[str, Any], class_count: int) -> tuple[str, ...]:
    """Names of what has a row a class in the model, and a row for each of others in the file."""
    from torch.nn.parameter import is_lazy

    differing = [
        name for name, tensor in weights.items()
        if not is_lazy(own[name]) and tensor.shape != own[name].shape
    ]  # fmt: skip
    are_heads = all(
        own[name].dim() == weights[name].dim() > 0
        and own[name].shape[1:] == weights[name].shape[1:]
        and len(own[name]) == class_count
        for name in differing
    )
    same_file = len({len(weights[name]) for name in differing}) == 1 if are_heads else False
    return tuple(differing) if same_file else ()


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


def _check_tensor(name: str, tensor: Tensor, own: Tensor, file: Path, takes_classes: bool) -> None:
    import torch
    from torch.nn.parameter import is_lazy

    if not is_lazy(own) and tensor.shape != own.shape:
        raise CheckpointError(
            f"'{name}' in '{file}' has shape {_times(tensor.shape)}, the model's has "
            f"{_times(own.shape)}",
            hint=_hint(tensor, own) if takes_classes else OTHER_MODEL,
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
