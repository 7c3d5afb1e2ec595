"""`--input`: the arguments of one call, from texts that a worker process can read again.

1x3x224x224, 1x80x3000:fp16     random values; B in place of a number is the batch size
ids:1x128:int64<30000           the name says which argument it is, where the model has it
input_ids=1x128:int64<30000     always a keyword
batch.npz, .npy .pt .safetensors .json
                                arrays with names are keywords
package.module:callable, path/file.py:callable
                                returns a tensor, a tuple, a dict or a (tuple, dict)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import InputDataError

from .input_files import READERS, read_inputs
from .shapes import BATCH, shape_of

if TYPE_CHECKING:
    import torch

FORMS = (
    "--input takes a shape with a type (ids:1x128:int64<30000), NAME= before it for a keyword, a "
    f"file ({', '.join(READERS)}), or module:callable"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Inputs of one call.

    Args:
        inputs: as `profiler.measure` takes them.
        description: where they came from, for a report.
        item_count: items in the call; None where nothing but the shapes tells.
        item: what one of them is, for labels.
    """

    inputs: Any
    description: str
    item_count: int | None
    item: str = "item"


def has_batch_axis(specs: Sequence[str]) -> bool:
    """Whether `--batch-size` means something for these inputs."""
    shapes = [shape_of(_split(spec)[2]) for spec in specs]
    return any(shape is not None and BATCH in shape.axes for shape in shapes)


def given_inputs(
    specs: Sequence[str], *, batch_size: int, seed: int, accepted: Sequence[str] = ()
) -> Given:
    """Build the arguments of one call, in the order of their specs.

    Args:
        specs: as `--input` takes them.
        batch_size: what B stands for.
        seed: of the random values.
        accepted: arguments that the model has by name: an input `name:...` of that name is given
            to that argument, wherever it stands.

    Raises:
        InputDataError: a spec has no known form, or its file or callable fails.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    told = []
    for spec in specs:
        name, is_keyword, rest = _split(spec)
        value, description = _value(spec, rest, batch_size, generator)
        told.append(f"{name} {description}" if name else description)
        if name and (is_keyword or name in accepted):
            arguments, named = (), {name: value}
        else:
            arguments, named = _as_arguments(value)
        twice = sorted(set(named) & set(keywords))
        if twice:
            raise InputDataError(f"--input {spec} gives '{twice[0]}' a second time")
        positional += arguments
        keywords |= named
    is_random = any(shape_of(_split(spec)[2]) for spec in specs)
    ending = f", random values of seed {seed}" if is_random else ""
    return Given(
        inputs=(tuple(positional), keywords),
        description="; ".join(told) + ending,
        item_count=batch_size if has_batch_axis(specs) else None,
    )


def _split(spec: str) -> tuple[str | None, bool, str]:
    """Name of the argument, whether it is surely a keyword, and the rest."""
    keyword = re.fullmatch(r"([A-Za-z_]\w*)=(.+)", spec)
    if keyword:
        return keyword[1], True, keyword[2]
    label, colon, rest = spec.partition(":")
    if colon and label.isidentifier() and label != BATCH and shape_of(rest) is not None:
        return label, False, rest
    return None, False, spec


def _value(spec: str, text: str, batch_size: int, generator: torch.Generator) -> tuple[Any, str]:
    shape = shape_of(text)
    if shape is not None:
        return shape.fill(batch_size, generator), shape.text(batch_size)
    if Path(text).suffix in READERS:
        file = Path(text).expanduser()
        return read_inputs(file), file.name
    if ":" in text:
        return _called(text), text
    raise InputDataError(f"--input {spec} has no known form", hint=FORMS)


def _called(reference: str) -> Any:
    """What the user's own callable returns."""
    from profiler.workload.user_code import call, with_named

    value = with_named(
        reference,
        lambda found: call(found, reference, {}, deed="calling") if callable(found) else found,
    )
    if value is None:
        raise InputDataError(
            f"--input {reference} returned None",
            hint="return a tensor, a tuple, a dict or a (tuple, dict)",
        )
    return value


def _as_arguments(value: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional arguments and keywords that a value stands for, as `profiler.count` reads it."""
    if isinstance(value, Mapping):
        return (), {str(name): item for name, item in value.items()}
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        if len(value) == 2 and isinstance(value[0], tuple) and isinstance(value[1], dict):
            return value
        return value, {}
    return (value,), {}
