"""Trees of tensors and numbers as JSON plus flat named tensors, the form that safetensors takes.

A node of the JSON is one of

    {"value": 3}                        a number, text, truth or null
    {"tensor": "optimizer.0.step"}      the tensor of that name
    {"list": [node, ...]}, {"tuple": [node, ...]}
    {"dict": [[key, node], ...]}        keys keep their type: an optimizer counts its parameters

Not `torch.distributed.checkpoint.state_dict`: of an optimizer that has taken no step yet, its
`get_optimizer_state_dict` takes one, which leaves Adam's counters at 1; the first checkpoint of a
run would then change what the run computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Tree = Any
"""Nested dicts, lists and tuples of tensors, numbers, text and None."""

FORMATS = ((4, "channels_last"), (5, "channels_last_3d"))
PLAIN = (str, int, float, bool, type(None))


def flatten(tree: Tree, name: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Take a tree apart.

    Args:
        tree: what to store.
        name: of the tensors in it, as a prefix.
        tensors: filled with them.

    Returns:
        The JSON from which `unflatten` builds the tree again.

    Raises:
        TypeError: something in it is neither a tensor nor plain.
    """
    import torch

    if isinstance(tree, torch.Tensor):
        while name in tensors:  # keys that differ in type alone: 0 and "0"
            name += "_"
        tensors[name] = tree
        return {"tensor": name}
    if isinstance(tree, Mapping):
        return {
            "dict": [
                [_plain(key, name), flatten(item, f"{name}.{key}", tensors)]
                for key, item in tree.items()
            ]
        }
    if isinstance(tree, list | tuple):
        kind = "list" if isinstance(tree, list) else "tuple"
        return {kind: [flatten(item, f"{name}.{i}", tensors) for i, item in enumerate(tree)]}
    return {"value": _plain(tree, name)}


def _plain(value: Any, name: str) -> Any:
    if type(value) not in PLAIN:
        raise TypeError(f"a checkpoint cannot hold the {type(value).__name__} at {name}")
    return value


def unflatten(node: Any, tensors: Mapping[str, Tensor]) -> Tree:
    """The reverse of `flatten`.

    Raises:
        ValueError: the JSON is no such tree.
    """
    if not isinstance(node, dict) or len(node) != 1:
        raise ValueError("a node of its tree is damaged")
    [(kind, content)] = node.items()
    if kind == "value" and type(content) in PLAIN:
        return content
    if kind == "tensor" and isinstance(content, str) and content in tensors:
        return tensors[content]
    if kind in ("list", "tuple") and isinstance(content, list):
        items = [unflatten(item, tensors) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict" and isinstance(content, list):
        return dict(_pair(item, tensors) for item in content)
    raise ValueError("a node of its tree is damaged")


def _pair(item: Any, tensors: Mapping[str, Tensor]) -> tuple[Any, Tree]:
    if not isinstance(item, list) or len(item) != 2 or type(item[0]) not in PLAIN:
        raise ValueError("a node of its tree is damaged")
    return item[0], unflatten(item[1], tensors)


def storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values on the CPU, each contiguous and in memory of its own.

    safetensors refuses anything else; weights that a model ties are stored once for each name.
    """
    owners: set[int] = set()
    stored = {}
    for name, tensor in tensors.items():
        copy = tensor.detach().to("cpu").contiguous()
        if copy.untyped_storage().data_ptr() in owners:
            copy = copy.clone()
        owners.add(copy.untyped_storage().data_ptr())
        stored[name] = copy
    return stored


def memory_formats(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """The tensors that are laid out channels last, and in which of the two forms."""
    import torch

    return {
        name: form
        for name, tensor in tensors.items()
        for dimensions, form in FORMATS
        if tensor.dim() == dimensions
        and not tensor.is_contiguous()
        and tensor.is_contiguous(memory_format=getattr(torch, form))
    }


def reformatted(tensor: Tensor, form: Any) -> Tensor:
    """A tensor in the memory format that `memory_formats` named; as it is for None.

    Raises:
        ValueError: no such format, or not one for this tensor.
    """
    import torch

    if form is None:
        return tensor
    if (tensor.dim(), form) not in FORMATS:
        raise ValueError("a memory format in it is damaged")
    wanted: torch.memory_format = getattr(torch, form)
    return tensor.contiguous(memory_format=wanted)
