"""What can hold state, and how each kind is read, compared and put back.

A kind with keys (attributes, a dict) is put back key by key, any other as a whole.
"""

from __future__ import annotations

import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import CellType, FunctionType, MemberDescriptorType, MethodType
from typing import Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from .tensor_state import TensorState

MISSING = object()
_LEAVES = (
    bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size,
)  # fmt: skip
# Of these nothing but containers, generators and modules is the model's own. A user's file is
# often called test.py.
_FOREIGN = frozenset(sys.stdlib_module_names) - {"collections", "types", "test", "__main__"} | {
    "torch", "numpy", "triton", "profiler",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Holder:
    """How one kind of object is looked into.

    Args:
        read: what it holds now; a dict where `write` takes single keys.
        write: give it back what it held: (object, contents), with keys (object, key, value).
        inner: the objects among its contents.
        keyed: whether its contents are a dict.
    """

    read: Callable[[Any], Any]
    write: Callable[..., None] | None
    inner: Callable[[Any], Iterator[tuple[str, Any]]]
    keyed: bool = False


def holder_of(thing: Any) -> Holder | None:
    """How to look into an object; None where it holds nothing that a call could change."""
    kind = type(thing)
    if kind in _LEAVES:
        return None
    if isinstance(thing, torch.Tensor):
        if is_traceable_wrapper_subclass(thing):
            return WRAPPED
        if kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
            return None
        return WEIGHT if isinstance(thing, torch.nn.Parameter) else TENSOR
    for base, holder in _KINDS:
        if isinstance(thing, base):
            return holder
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(thing, numpy.ndarray):
        return ARRAY if thing.flags.writeable and not thing.dtype.hasobject else None
    if numpy is not None and isinstance(thing, numpy.random.RandomState):
        return NUMPY_STATE
    if numpy is not None and isinstance(thing, numpy.random.Generator):
        return NUMPY_GENERATOR
    if isinstance(thing, torch.jit.ScriptModule):
        return SCRIPTED
    if isinstance(thing, torch.nn.Module):
        return OBJECT
    if isinstance(thing, type):
        return None if _is_foreign(thing) else CLASS
    if isinstance(thing, FunctionType):
        return None if _is_foreign(thing) else FUNCTION
    return None if _is_foreign(kind) else OBJECT


def _is_foreign(named: Any) -> bool:
    return str(getattr(named, "__module__", "")).partition(".")[0] in _FOREIGN


def _keyed(contents: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in contents.items():
        yield f"[{key!r}]", value


def _named(contents: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in contents.items():
        if name in ("_buffers", "_parameters", "_modules") and isinstance(value, dict):
            yield "", value
        else:
            yield f".{name}", value


def _listed(contents: Any) -> Iterator[tuple[str, Any]]:
    for position, value in enumerate(contents):
        yield f"[{position}]", value


def _nothing(contents: Any) -> Iterator[tuple[str, Any]]:
    return iter(())


def _write_key(mapping: dict[Any, Any], key: Any, value: Any) -> None:
    base: Any = OrderedDict if isinstance(mapping, OrderedDict) else dict
    if value is MISSING:
        base.pop(mapping, key, None)
    else:
        base.__setitem__(mapping, key, value)


def _read_object(thing: Any) -> dict[str, Any]:
    contents = dict(getattr(thing, "__dict__", {}))
    for base in type(thing).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                contents[name] = getattr(thing, name)
    contents["__class__"] = type(thing)
    return contents


def _write_object(thing: Any, name: str, value: Any) -> None:
    is_slot = isinstance(getattr(type(thing), name, None), MemberDescriptorType)
    if name != "__class__" and not is_slot:
        # Past the object's own __setattr__: torch's sorts what it is given into other dicts.
        _write_key(thing.__dict__, name, value)
    elif value is not MISSING:
        object.__setattr__(thing, name, value)
    elif hasattr(thing, name):
        object.__delattr__(thing, name)


def _read_class(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("__")}


def _write_class(kind: type, name: str, value: Any) -> None:
    if value is MISSING:
        with suppress(AttributeError):  # it is gone already
            delattr(kind, name)
    else:
        setattr(kind, name, value)


def _inner_class(contents: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in contents.items():
        if isinstance(value, (FunctionType, torch.Tensor, *_CONTAINERS)):
            yield f".{name}", value


def _inner_function(function: Any) -> Iterator[tuple[str, Any]]:
    """What a function remembers from call to call: its closure, and defaults that can change."""
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        yield f".{name}", cell
    yield "", function.__defaults__ or ()
    yield "", function.__kwdefaults__ or {}


def _read_cell(cell: CellType) -> dict[str, Any]:
    try:
        return {"": cell.cell_contents}
    except ValueError:  # not filled yet
        return {}


def _write_cell(cell: CellType, name: str, value: Any) -> None:
    if value is MISSING:
        with suppress(ValueError):  # it is empty already
            del cell.cell_contents
    else:
        cell.cell_contents = value


def _read_scripted(module: Any) -> dict[str, Any]:
    """Attributes that live in TorchScript's own object."""
    concrete = module.__dict__.get("_concrete_type")
    names = concrete.get_attributes() if concrete is not None else {}
    return {name: module._c.getattr(name) for name in names if module._c.hasattr(name)}


def _write_list(target: list[Any], contents: list[Any]) -> None:
    list.__setitem__(target, slice(None), contents)


def _refill(target: Any, contents: Any) -> None:
    target.clear()
    (target.extend if isinstance(target, deque) else target.update)(contents)


def _write_array(array: Any, contents: Any) -> None:
    array[...] = contents


def _write_bits(generator: Any, contents: Any) -> None:
    generator.bit_generator.state = contents


def _inner_wrapped(tensor: Any) -> Iterator[tuple[str, Any]]:
    for name in tensor.__tensor_flatten__()[0]:
        yield f".{name}", getattr(tensor, name)


def _itself(thing: Any) -> Any:
    return thing


def _inner_partial(bound: Any) -> Iterator[tuple[str, Any]]:
    yield from (("", bound.func), ("", bound.args), ("", bound.keywords))


def _inner_method(method: Any) -> Iterator[tuple[str, Any]]:
    yield from (("", method.__self__), ("", method.__func__))


_CONTAINERS = (dict, list, set, deque)
TENSOR = Holder(TensorState, lambda tensor, state: state.give_back(tensor), _nothing)
WEIGHT = Holder(partial(TensorState, with_values=False), TENSOR.write, _nothing)
WRAPPED = Holder(_itself, None, _inner_wrapped)
OBJECT = Holder(_read_object, _write_object, _named, keyed=True)
CLASS = Holder(_read_class, _write_class, _inner_class, keyed=True)
FUNCTION = Holder(_itself, None, _inner_function)
CELL = Holder(_read_cell, _write_cell, _keyed, keyed=True)
ARRAY = Holder(lambda array: array.copy(), _write_array, _nothing)
SCRIPTED = Holder(
    _read_scripted, lambda module, name, value: module._c.setattr(name, value), _named, keyed=True
)
NUMPY_STATE = Holder(
    lambda state: state.get_state(), lambda state, held: state.set_state(held), _nothing
)
NUMPY_GENERATOR = Holder(lambda state: state.bit_generator.state, _write_bits, _nothing)
_KINDS: tuple[tuple[Any, Holder], ...] = (
    (dict, Holder(dict, _write_key, _keyed, keyed=True)),
    (list, Holder(list, _write_list, _listed)),
    ((tuple, frozenset), Holder(_itself, None, _listed)),
    ((set, deque), Holder(lambda held: held.copy(), _refill, _listed)),
    (torch.Generator, Holder(lambda g: g.get_state(), lambda g, held: g.set_state(held), _nothing)),
    (random.Random, Holder(lambda r: r.getstate(), lambda r, held: r.setstate(held), _nothing)),
    (CellType, CELL),
    (MethodType, Holder(_itself, None, _inner_method)),
    (partial, Holder(_itself, None, _inner_partial)),
)
