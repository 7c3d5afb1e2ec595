"""Checkpoints: one safetensors file each, JSON in its header, written whole or not at all.

    last.safetensors   everything that going on needs (`State`)
    best.safetensors   the evaluated weights under the names of the model's own state dict, so that
                       `python -m profiler measure --checkpoint` takes it as it is

Beside each lies the JSON of its header, to be read by people; programs read the header. Format:

    1   `__metadata__`["wattprof"] is the JSON of `header.write_header`; its "kind" is "state" or
        "weights". For "state", "tree" holds what `tensor_tree.flatten` makes of the State, and
        "memory_formats" the tensors that were laid out channels last.

Reading one runs nothing that is in it: safetensors holds no code, and a reference to a model that
would have to be imported is followed only where the user names the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from profiler.errors import CheckpointError, UsageError
from profiler.inputs import load_calibration
from profiler.variants import GivenWeights, Member, build, members_of, parse
from profiler.workload.weights import fit_weights
from training.recipe import Recipe, flag_of
from training.run_folder import LAST

from .checkpoint_file import DAMAGED, read_tensors, write_tensors
from .header import Info, write_header
from .state import State, capture, restore
from .tensor_tree import flatten, memory_formats, reformatted, unflatten

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = [
    "Info",
    "State",
    "capture",
    "check_recipe",
    "load_checkpoint",
    "load_info",
    "load_model",
    "restore",
    "save_checkpoint",
    "save_weights",
]

STATE = "state"
WEIGHTS = "weights"
PARTS = ("model", "ema", "optimizer", "scaler", "rng")


def save_checkpoint(path: Path, state: State) -> None:
    """Write everything that going on needs, in the place of the checkpoint before it.

    Args:
        path: ends in ".safetensors"; the readable JSON is written beside it.
        state: its tensors are copied to the CPU first.

    Raises:
        StoreError: it could not be written; the checkpoint before it is whole.
        TrainingError: a weight is NaN or infinite; the checkpoint before it is whole.
    """
    tensors: dict[str, Tensor] = {}
    tree = {name: flatten(getattr(state, name), name, tensors) for name in PARTS}
    extra = {"tree": tree, "memory_formats": memory_formats(tensors)}
    write_tensors(path, tensors, write_header(state.info, STATE, extra))


def save_weights(path: Path, info: Info, weights: Mapping[str, Tensor]) -> None:
    """Write a model's weights alone, under the names of its state dict.

    Args:
        path: ends in ".safetensors"; the readable JSON is written beside it.
        info: what evaluating them needs.
        weights: a state dict of the bare network.

    Raises:
        StoreError, TrainingError: as `save_checkpoint`.
    """
    write_tensors(path, weights, write_header(info, WEIGHTS, {}))


def load_checkpoint(path: Path) -> State:
    """Read what `save_checkpoint` wrote, onto the CPU.

    Raises:
        CheckpointError: absent, damaged, not a checkpoint of a run, or of a newer program.
    """
    info, document, tensors = read_tensors(path)
    if document.get("kind") != STATE:
        raise CheckpointError(
            f"'{path}' holds weights alone, with which no run can go on",
            hint=f"name the run's folder, or its {LAST}",
        )
    try:
        return _assemble(info, document, tensors)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the state in '{path}' is damaged: {error}", hint=DAMAGED) from error


def _assemble(info: Info, document: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> State:
    tree, formats = document.get("tree"), document.get("memory_formats")
    if not isinstance(tree, dict) or not isinstance(formats, dict):
        raise ValueError("a part is missing")
    laid_out = {name: reformatted(item, formats.get(name)) for name, item in tensors.items()}
    parts = {name: unflatten(tree.get(name), laid_out) for name in PARTS}
    if not _is_state_dict(parts["model"]) or not _is_state_dict(parts["ema"] or {}):
        raise ValueError("its weights are no state dict")
    return State(info=info, **parts)


def load_info(path: Path) -> Info:
    """The JSON part of a checkpoint, of either kind.

    Raises:
        CheckpointError: as `load_checkpoint`.
    """
    return read_tensors(path)[0]


def check_recipe(stored: Recipe, asked: Recipe) -> None:
    """Let a run go on only with the recipe that it began with; data and teacher may have moved.

    Raises:
        UsageError: naming each field that differs, with both values.
    """
    changed = stored.changes(asked)
    if changed:
        changes = ", ".join(
            f"{name} was {old!r} and is now {new!r}" for name, (old, new) in changed.items()
        )
        flags = ", ".join(map(flag_of, changed))
        raise UsageError(
            f"a run goes on with the recipe it began with: {changes}",
            hint=f"leave {flags} out to go on with it, or train into a new folder",
        )


def load_model(
    path: Path,
    device: torch.device | str = "cpu",
    *,
    model: str | None = None,
    flag: str = "--model",
) -> tuple[nn.Module, Info]:
    """The trained network of a checkpoint: the evaluated weights, in evaluation mode.

    Args:
        path: a checkpoint of either kind.
        device: where the network goes, in the memory format that it was trained in.
        model: reference that the user gives; needed where the checkpoint's own would import code.
            More transforms behind the checkpoint's own make a variant of the trained network.
        flag: by which the user gives it.

    Returns:
        The network, and what its inputs must look like. The state of torch's generators is kept.

    Raises:
        CheckpointError: damaged, of another model, or of a model whose code must be named.
        TargetError: the reference leads to no model.
    """
    import torch

    info, document, tensors = read_tensors(path)
    if model is not None and (members := members_of(parse(model).base)) is not None:
        return _ensemble(model, members, path, info, device), info
    reference = _trusted_reference(info, path, model, flag)
    is_state = document.get("kind") == STATE
    weights = dict(load_checkpoint(path).evaluated) if is_state else tensors
    if not any(info.class_count in tensor.shape for tensor in weights.values()):
        raise CheckpointError(
            f"'{path}' names {info.class_count} classes, but none of its weights has so many rows",
            hint=DAMAGED,
        )
    with torch.random.fork_rng(devices=[]):
        network = build(
            reference,
            num_classes=info.class_count,
            weights=GivenWeights(
                name=str(path),
                reference=info.recipe.model,
                load=lambda model: fit_weights(model, weights, path),
            ),
            load_batches=lambda _: _calibration(info),
            device=str(device),
            may_set_own=True,
        ).model
    form = torch.channels_last if info.recipe.channels_last else torch.preserve_format
    network.to(device=device).to(memory_format=form).eval()
    return network, info


def _calibration(info: Info) -> tuple[Tensor, ...]:
    return load_calibration(info.recipe.data, input_shape=info.input_shape, seed=info.recipe.seed)


def _ensemble(
    reference: str, members: Sequence[Member], path: Path, info: Info, device: torch.device | str
) -> nn.Module:
    """An ensemble whose members were all trained for what one of them, at `path`, was trained for.

    Raises:
        CheckpointError: the file is none of theirs, or they see other classes or other images.
    """
    files = [Path(member.checkpoint) for member in members if member.checkpoint is not None]
    if path not in files or len(files) < len(members):
        raise CheckpointError(
            f"'{path}' is not among the checkpoints of '{reference}', or a member has none",
            hint="name a checkpoint behind each member, and one of them with --checkpoint",
        )
    for file in files:
        other = load_info(file)
        for name in ("class_names", "input_shape", "normalization"):
            if getattr(other, name) != getattr(info, name):
                raise CheckpointError(
                    f"'{file}' differs from '{path}' in {name.replace('_', ' ')}: they cannot vote",
                    hint="give members that were trained on the same data",
                )
    ensemble = build(
        reference,
        num_classes=info.class_count,
        load_batches=lambda _: _calibration(info),
        device=str(device),
    ).model
    return ensemble.to(device=device).eval()


def load_into(model: nn.Module, path: Path) -> None:
    """Put the weights of a checkpoint that holds nothing else into a model of its kind.

    Raises:
        CheckpointError: it is damaged, or does not fit.
    """
    fit_weights(model, read_tensors(path)[2], path)


def _trusted_reference(info: Info, path: Path, asked: str | None, flag: str) -> str:
    stored = info.recipe.model
    if asked is not None and not parse(asked).begins_with(parse(stored)):
        raise CheckpointError(
            f"'{path}' holds weights of '{stored}', not of '{asked}'",
            hint=f"give {flag} {quote(stored)}",
        )
    if asked is None and not info.names_library_model:
        raise CheckpointError(
            f"'{path}' holds weights of '{stored}', whose code would be run",
            hint=f"where you trust that code, name it: {flag} {quote(stored)}",
        )
    return asked or stored


def _is_state_dict(value: Any) -> bool:
    import torch

    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(item, torch.Tensor) for name, item in value.items()
    )
