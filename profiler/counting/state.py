"""The state of everything that can be reached from a model and its inputs, at one moment.

Followed are modules, containers, plain objects, closures, mutable defaults, attributes of classes,
tensors, arrays and random generators. Not followed are globals, and what lives in a library's own
C++ objects.
"""

from __future__ import annotations

import random
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from .holders import CLASS, MISSING, OBJECT, TENSOR, WEIGHT, Holder, holder_of
from .tensor_state import TensorState, same_values


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    thing: Any
    holder: Holder
    contents: Any
    parent: _Node | None
    label: str

    @property
    def root(self) -> str:
        return self.parent.root if self.parent else self.label

    @property
    def path(self) -> str:
        return f"{self.parent.path if self.parent else ''}{self.label}".lstrip(".")


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Something that is not as it was.

    Args:
        path: where it is found: "layers[0].k", "inputs[0]".
        thing: the object that holds it.
        key: of what changed in it; MISSING where the object is put back as a whole.
    """

    path: str
    thing: Any
    key: Any
    _node: _Node

    @property
    def root(self) -> str:
        """Label of the root from which it was reached."""
        return self._node.root

    def is_below(self, other: Change) -> bool:
        """Whether it lies inside what the other change is about, or is the same."""
        return self.path == other.path or self.path.startswith((f"{other.path}.", f"{other.path}["))

    @property
    def place(self) -> tuple[int, Any]:
        """The same for two changes of the same thing."""
        return id(self.thing), self.key

    def undo(self) -> None:
        """Put back what was held here."""
        node = self._node
        assert node.holder.write is not None
        if self.key is MISSING:
            node.holder.write(self.thing, node.contents)
        else:
            node.holder.write(self.thing, self.key, node.contents.get(self.key, MISSING))


class Snapshot:
    """What the objects that can be reached from `roots` held when it was taken."""

    def __init__(self, *roots: tuple[str, Any]) -> None:
        self._nodes = {id(node.thing): node for node in _walk(roots)}

    def holds(self, change: Change) -> bool:
        """Whether the place of a change of another snapshot is known here."""
        return id(change.thing) in self._nodes

    def changes(self, *, loosely: bool = False) -> Iterator[Change]:
        """Everything that is not as it was.

        Args:
            loosely: pass over what was replaced by another object of the same value.
        """
        for node in self._nodes.values():
            if node.holder.write is None:
                continue
            if not node.holder.keyed:
                if not _holds(node, loosely):
                    yield Change(node.path, node.thing, MISSING, node)
                continue
            now = node.holder.read(node.thing)
            for key in _changed_keys(node.contents, now, loosely):
                yield Change(_named(node, key), node.thing, key, node)

    def undo_of(self, change: Change) -> Change:
        """What puts the place of a change, seen by another snapshot, back to what it was here."""
        return Change(change.path, change.thing, change.key, self._nodes[id(change.thing)])

    def put_back(self) -> None:
        """Make everything what it was, the order of keys included."""
        changes = list(self.changes())
        for change in changes:
            change.undo()
        for node in {
            id(change.thing): self._nodes[id(change.thing)] for change in changes
        }.values():
            if node.holder.keyed:
                _reorder(node.thing, node.contents)


def objects_held(*roots: tuple[str, Any]) -> Iterator[Any]:
    """Everything that can be reached and can hold state; a tensor's insides are left out."""
    return (node.thing for node in _walk(roots, with_values=False))


def _walk(roots: Sequence[tuple[str, Any]], *, with_values: bool = True) -> Iterator[_Node]:
    seen: set[int] = set()
    stack: list[tuple[Any, _Node | None, str]] = [
        (thing, None, label) for label, thing in reversed(roots)
    ]
    while stack:
        thing, parent, label = stack.pop()
        holder = holder_of(thing)
        if holder is None or id(thing) in seen or is_lazy(thing):
            continue
        seen.add(id(thing))
        if holder is TENSOR and parent and isinstance(parent.thing, torch.nn.Parameter):
            holder = WEIGHT  # the memory inside a parameter that is a subclass
        is_closed = isinstance(thing, torch.Tensor) and not with_values
        node = _Node(thing, holder, None if is_closed else holder.read(thing), parent, label)
        yield node
        if is_closed:
            continue
        inner = [
            (value, node, f".{name[2:-2]}" if _is_table(node) else name)
            for name, value in holder.inner(node.contents)
        ]
        if holder is OBJECT and isinstance(thing, torch.nn.Module):
            inner += [(kind, node, "") for kind in type(thing).__mro__ if _is_own(kind)]
        stack.extend(reversed(inner))


def random_generators(tensors: Sequence[torch.Tensor] = ()) -> list[Any]:
    """The process's own sources of random numbers, those of the tensors' GPUs included."""
    # The instance behind the functions of `random` has no public name, nor has NumPy's.
    found: list[Any] = [random._inst, torch.default_generator]
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        found.append(numpy.random.mtrand._rand)
    gpus = {tensor.device.index or 0 for tensor in tensors if tensor.device.type == "cuda"}
    return [*found, *(torch.cuda.default_generators[gpu] for gpu in sorted(gpus))]


def _is_own(kind: type) -> bool:
    return holder_of(kind) is CLASS


def _is_table(node: _Node) -> bool:
    """Whether it is the dict in which a module keeps its buffers, parameters or children."""
    parent = node.parent.thing if node.parent else None
    return isinstance(node.thing, dict) and not node.label and isinstance(parent, torch.nn.Module)


def _named(node: _Node, key: Any) -> str:
    is_item = isinstance(node.thing, dict) and not _is_table(node)
    path = f"{node.path}[{key!r}]" if is_item else f"{node.path}.{key}" if key else node.path
    return path.lstrip(".")


def _reorder(thing: Any, contents: dict[Any, Any]) -> None:
    held = thing if isinstance(thing, dict) else getattr(thing, "__dict__", None)
    if isinstance(held, dict):
        wanted = [key for key in contents if key in held]
        if list(held) != wanted:
            for key in wanted:
                dict_type: Any = OrderedDict if isinstance(held, OrderedDict) else dict
                dict_type.__setitem__(held, key, dict_type.pop(held, key))


def _changed_keys(before: dict[Any, Any], now: dict[Any, Any], loosely: bool) -> list[Any]:
    changed = []
    for key in {**before, **now}:
        old, new = before.get(key, MISSING), now.get(key, MISSING)
        if old is not new and not (loosely and same(old, new)):
            changed.append(key)
    if not loosely and not changed and list(before) != list(now):
        return list(before)
    return changed


def _holds(node: _Node, loosely: bool) -> bool:
    if isinstance(node.contents, TensorState):
        return node.contents.holds(node.thing)
    if isinstance(node.thing, (list, set)) or type(node.thing).__name__ == "deque":
        old, new = list(node.contents), list(node.thing)
        if len(old) != len(new):
            return False
        pairs = zip(old, new, strict=True)
        return all(a is b or (loosely and same(a, b)) for a, b in pairs)
    return same(node.contents, node.holder.read(node.thing))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, however deeply they are nested."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        try:
            return same_values(one, other)
        except (RuntimeError, NotImplementedError):  # layouts that cannot be compared
            return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(one, numpy.ndarray):
        return bool(numpy.array_equal(one, other))
    return isinstance(one, (bool, int, float, complex, str, bytes)) and one == other
