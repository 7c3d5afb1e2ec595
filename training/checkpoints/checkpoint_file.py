"""The file of a checkpoint: tensors and a JSON header; reading it runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import CheckpointError, TrainingError
from profiler.files import PARTIAL_SUFFIX, replace_whole_file, write_whole_file
from profiler.interruption import heed_interruption
from profiler.values.codec import FormError
from profiler.values.plain_text import clean
from training.run_folder import BEST, LAST

from .header import Info, read_header
from .tensor_tree import storable

if TYPE_CHECKING:
    from torch import Tensor

KEY = "wattprof"
DAMAGED = "give another checkpoint; a run that goes on writes a new one after its next epoch"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: str) -> None:
    """Write tensors and header in the place of the file before them, and the header's JSON beside.

    Raises:
        StoreError: it could not be written; the file before it is whole.
        TrainingError: a value is NaN or infinite; the file before it is whole.
    """
    from safetensors.torch import save

    stored = storable(tensors)
    diverged = _first_not_finite(stored)
    if diverged is not None:
        raise TrainingError(
            f"'{diverged}' holds NaN or infinite values, so '{path}' is not written",
            hint="lower --learning-rate, or train with --dtype fp32",
        )
    _remove_leftovers(path)
    content = save(stored, {KEY: header})
    replace_whole_file(path, lambda partial: partial.write_bytes(content))
    readable = json.dumps(json.loads(header), indent=1)
    write_whole_file(path.with_suffix(".json"), readable + "\n")


def _remove_leftovers(path: Path) -> None:
    """Remove what processes left that were killed while they wrote this file."""
    with suppress(OSError):  # what is wrong with the folder is told by the write that follows
        for leftover in path.parent.glob(f"*{PARTIAL_SUFFIX}"):
            if leftover.name.startswith(f"{path.stem}."):
                leftover.unlink()


def read_tensors(path: Path) -> tuple[Info, dict[str, Any], dict[str, Tensor]]:
    """Read a file that `write_tensors` wrote, onto the CPU.

    Returns:
        The checked header, its whole JSON, and the tensors, each in memory of its own.

    Raises:
        CheckpointError: absent, damaged, of another program or a newer one, or holding NaN.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint '{path}'", hint=f"a run's folder holds {BEST} and {LAST}"
        )
    try:
        with safe_open(path, "pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 # no mapping
    # A damaged header surfaces as whatever its lengths, shapes and types lead the reader into.
    except Exception as error:
        heed_interruption(error)
        raise CheckpointError(
            f"'{path}' is no safetensors file, or a damaged one ({clean(_line(error))})",
            hint=DAMAGED,
        ) from error
    if KEY not in metadata:
        raise CheckpointError(
            f"'{path}' was not written by a training run of this program",
            hint=f"`python -m profiler measure --model NAME --checkpoint {path}` takes any weights",
        )
    try:
        info, document = read_header(metadata[KEY])
    except FormError as error:
        raise CheckpointError(f"the header of '{path}' {error}", hint=DAMAGED) from error
    diverged = _first_not_finite(tensors)
    if diverged is not None:
        raise CheckpointError(f"'{clean(diverged)}' in '{path}' holds NaN or infinite values")
    return info, document, tensors


def _first_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    import torch

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            return name
    return None


def _line(error: BaseException) -> str:
    """The first line of an error's text."""
    return str(error).partition("\n")[0] or type(error).__name__
