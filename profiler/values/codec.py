"""Frozen dataclasses as JSON objects, and back by the types of their fields.

The one decoder of all that is stored, exchanged or written by hand. Of a field that the type does
not have: in a stored record it is passed over, since a later version may have added it; with
`strict`, for what people write and for what decides what is computed, it is an error.
"""

from __future__ import annotations

import json
import math
import sys
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from profiler.errors import ProfilerError

from .profile import Profile
from .quantities import QUANTITIES

T = TypeVar("T")
LONGEST_SHOWN = 40
_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}
_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


class FormError(ValueError):
    """What was read does not have the form of the type asked for.

    Args:
        problem: a clause: "is not valid JSON"; after the name of a field: "is not a number: 'x'".
        where: path of the field ("windows[3].start_s"), "" for the record itself; None where the
            clause is not about a field.
    """

    def __init__(self, problem: str, where: str | None = None) -> None:
        super().__init__(problem if where is None else f"{where or 'the record'} {problem}")
        self.problem = problem
        self.where = where


def parse(text: str | bytes) -> Any:
    """What a JSON text from anywhere holds.

    Raises:
        FormError: it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    # A deep nest exhausts the parser's stack; a number of thousands of digits is a ValueError.
    except (ValueError, RecursionError) as error:
        raise FormError(f"is not valid JSON: {error}") from error


def parse_toml(text: bytes) -> dict[str, Any]:
    """What a TOML file that somebody wrote holds.

    Raises:
        FormError: it is no TOML.
    """
    try:
        # Some editors write a byte order mark before the first line.
        return tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FormError("is no TOML: it is not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise FormError(f"is no TOML: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def check_version(document: Any, newest: int) -> None:
    """Raise FormError where a document has no schema version, or one above `newest`."""
    version = document.get("schema_version") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise FormError("states no schema version")
    if version > newest:
        raise FormError(
            f"has schema version {version}, newer than the {newest} that this program reads"
        )


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
        return {str(encode(key)): encode(item) for key, item in value.items()}
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


@overload
def decode(value: Any, kind: type[T], where: str = "", *, strict: bool = False) -> T: ...
@overload
def decode(value: Any, kind: Any, where: str = "", *, strict: bool = False) -> Any: ...
def decode(value: Any, kind: Any, where: str = "", *, strict: bool = False) -> Any:
    """Build a `kind` from what JSON or TOML gave; `encode` is the reverse.

    Args:
        value: what was read.
        kind: a dataclass, an enum, a plain type, `tuple`, `Mapping` or a union of such; the keys of
            a mapping may be texts, whole numbers or members of an enum.
        where: path of the value in its document, for the error.
        strict: refuse fields that a dataclass does not have.

    Raises:
        FormError: naming the field that does not fit, and its value.
    """
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin is Union or origin is types.UnionType:
        return _decode_union(value, get_args(kind), where, strict)
    if origin is tuple:
        return _decode_tuple(value, get_args(kind), where, strict)
    if origin is not None and issubclass(origin, Mapping):
        _expect(isinstance(value, dict), value, where, "an object")
        key_kind, item_kind = get_args(kind)
        return {
            _decode_key(key, key_kind, where): decode(
                item, item_kind, _inside(where, key), strict=strict
            )
            for key, item in value.items()
        }
    if is_dataclass(kind):
        return _decode_dataclass(value, kind, where, strict)
    return _decode_scalar(value, kind, where)


def _decode_union(value: Any, kinds: tuple[Any, ...], where: str, strict: bool) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    candidates = [kind for kind in kinds if kind is not types.NoneType]
    if isinstance(value, dict):
        # A record is known by its fields: it is the kind with the fewest missing or unknown.
        records: list[Any] = [kind for kind in candidates if is_dataclass(kind)]
        records.sort(key=lambda kind: len(_hints(kind).keys() ^ value))
        candidates = records or candidates
    else:
        candidates = [kind for kind in candidates if kind is type(value)] or candidates
    return decode(value, candidates[0], where, strict=strict)


def _decode_tuple(value: Any, kinds: tuple[Any, ...], where: str, strict: bool) -> Any:
    _expect(isinstance(value, list), value, where, "a list")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    elif len(value) != len(kinds):
        raise FormError(f"has {len(value)} items where {len(kinds)} belong", where)
    return tuple(
        decode(item, kind, f"{where}[{index}]", strict=strict)
        for index, (item, kind) in enumerate(zip(value, kinds, strict=True))
    )


def _decode_key(key: str, kind: Any, where: str) -> Any:
    if kind is str:
        return key
    convert: Callable[[str], Any] = kind
    if issubclass(kind, Enum):
        convert = {str(member.value): member for member in kind}.__getitem__
    try:
        return convert(key)
    except (KeyError, ValueError):
        raise FormError(f"has the key {_shown(key)}, which cannot be one", where) from None


def _decode_dataclass(value: Any, kind: Any, where: str, strict: bool) -> Any:
    _expect(isinstance(value, dict), value, where, "an object")
    hints = _hints(kind)
    unknown = value.keys() - hints.keys()
    if strict and unknown:
        raise FormError(f"has the unknown field {_shown(min(unknown))}", where)
    arguments = {}
    for item in fields(kind):
        place = _inside(where, item.name)
        if item.name in value:
            arguments[item.name] = decode(value[item.name], hints[item.name], place, strict=strict)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise FormError("is missing", place)
    try:
        return kind(**arguments)
    except (ValueError, ProfilerError) as error:
        problem = error.message if isinstance(error, ProfilerError) else str(error)
        raise FormError(f"is not possible: {problem}", where) from error


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in fields(kind)}


def _decode_scalar(value: Any, kind: Any, where: str) -> Any:
    if issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in kind)
            raise FormError(f"is none of {known}: {_shown(value)}", where) from None
    if kind is float and isinstance(value, str) and value in _INFINITIES:
        return _INFINITIES[value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float:
        # A whole number stays one, so that what is read and stored again is the same text.
        _expect(is_number, value, where, _WORDS[float])
        is_finite = isinstance(value, float) or abs(value) <= sys.float_info.max
        _expect(is_finite, value, where, "finite")
    elif kind is int:
        _expect(is_number and isinstance(value, int), value, where, _WORDS[int])
    else:
        _expect(isinstance(value, kind), value, where, _WORDS.get(kind, f"a {kind.__name__}"))
    return value


def _expect(holds: bool, value: Any, where: str, wanted: str) -> None:
    if not holds:
        raise FormError(f"is not {wanted}: {_shown(value)}", where)


def _inside(where: str, name: str) -> str:
    shown = name if name.isprintable() and len(name) <= LONGEST_SHOWN else _shown(name)
    return f"{where}.{shown}".lstrip(".")


def _shown(value: Any) -> str:
    """A value of a document in an error: short, and without what could move a cursor."""
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}...")
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return "a number of hundreds of digits"
    return repr(value)


def profile_document(profile: Profile) -> dict[str, Any]:
    """The profile as one JSON object, every number with unit and basis, without raw readings."""
    document: dict[str, Any] = encode(replace(profile, traces=()))
    del document["traces"]
    document["derived"] = {row.key: encode(row.of(profile)) for row in QUANTITIES}
    return document
