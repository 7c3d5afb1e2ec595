"""Frozen dataclasses as JSON objects, and back by the types of their fields."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from .profile import Profile
from .quantities import QUANTITIES

_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}


class FormError(ValueError):
    """What was read does not have the form of the type asked for."""


def encode(value: Any) -> Any:
    """Turn a dataclass, and what it holds, into what `json.dumps(allow_nan=False)` accepts."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        # A lone surrogate (an undecodable file name) cannot be written as UTF-8.
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _encode_real(float(value))
    if is_dataclass(value):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if hasattr(value, "item"):
        # A NumPy or torch scalar that slipped into a record is the number it holds.
        return encode(value.item())
    return [encode(item) for item in value]


def _encode_real(value: float) -> float | str:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if math.isnan(value):
        raise FormError("NaN is no measurement and cannot be stored")
    return value


def decode(value: Any, kind: Any, where: str = "") -> Any:
    """Build a `kind` from what JSON gave.

    Raises:
        FormError: naming the place that does not fit.
    """
    origin = get_origin(kind)
    if origin is Union or origin is types.UnionType:
        return _decode_union(value, get_args(kind), where)
    if origin is tuple:
        (item_kind, *_) = get_args(kind)
        _expect(isinstance(value, list), where, "a list")
        return tuple(decode(item, item_kind, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        _expect(isinstance(value, dict), where, "an object")
        item_kind = get_args(kind)[1]
        return {key: decode(item, item_kind, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(kind):
        return _decode_dataclass(value, kind, where)
    return _decode_scalar(value, kind, where)


def _decode_union(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    if value is None:
        _expect(type(None) in kinds, where, "a value, not null")
        return None
    candidates = [kind for kind in kinds if kind is not type(None)]
    if len(candidates) > 1:
        _expect(isinstance(value, dict), where, "an object")
        # The traces are the one union of records: a record is known by its fields.
        candidates = [
            kind for kind in candidates if set(value) <= {item.name for item in fields(kind)}
        ]
        _expect(bool(candidates), where, "a known record")
    return decode(value, candidates[0], where)


def _decode_dataclass(value: Any, kind: Any, where: str) -> Any:
    _expect(isinstance(value, dict), where, "an object")
    hints = _hints(kind)
    arguments = {}
    for item in fields(kind):
        place = f"{where}.{item.name}".lstrip(".")
        if item.name in value:
            arguments[item.name] = decode(value[item.name], hints[item.name], place)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise FormError(f"{place} is missing")
    try:
        return kind(**arguments)
    except ValueError as error:
        raise FormError(f"{where or 'the record'}: {error}") from error


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode_scalar(value: Any, kind: Any, where: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError as error:
            raise FormError(f"{where}: {error}") from error
    if kind is float and isinstance(value, str) and value in _INFINITIES:
        return _INFINITIES[value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float:
        _expect(is_number, where, "a number")
    elif kind is int:
        _expect(is_number and isinstance(value, int), where, "a whole number")
    else:
        _expect(isinstance(value, kind), where, f"a {kind.__name__}")
    return value


def _expect(holds: bool, where: str, wanted: str) -> None:
    if not holds:
        raise FormError(f"{where or 'the record'} is not {wanted}")


def profile_document(profile: Profile) -> dict[str, Any]:
    """The profile as one JSON object, every number with unit and basis, without raw readings."""
    document: dict[str, Any] = encode(replace(profile, traces=()))
    del document["traces"]
    document["derived"] = {row.key: encode(row.of(profile)) for row in QUANTITIES}
    return document
