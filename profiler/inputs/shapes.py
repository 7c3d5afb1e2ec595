"""`--input` as a shape with a type: `ids:1x128:int64<30000` is a tensor of random values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.errors import InputDataError

if TYPE_CHECKING:
    import torch

BATCH = "B"
_FORM = re.compile(
    r"(?P<shape>(?:B|\d+)(?:x(?:B|\d+))*)(?::(?P<dtype>[a-z]\w*))?(?:<(?P<bound>\d+))?"
)
DTYPES = {
    "fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp64": "float64",
    **{name: name for name in (
        "float32", "float16", "bfloat16", "float64", "complex64", "int64", "int32", "int16",
        "int8", "uint8", "bool",
    )},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A tensor to be filled with random values.

    Args:
        axes: lengths; "B" is the batch size.
        dtype: name of torch's type.
        bound: integers are drawn from 0 to below it; None for floating point, which is standard
            normal, and for booleans, which are fair.
    """

    axes: tuple[str, ...]
    dtype: str
    bound: int | None

    def lengths(self, batch_size: int) -> tuple[int, ...]:
        """The shape of a batch."""
        return tuple(batch_size if axis == BATCH else int(axis) for axis in self.axes)

    def text(self, batch_size: int) -> str:
        """For a report: "1x128 int64 below 30,000"."""
        times = "x".join(map(str, self.lengths(batch_size)))
        return f"{times} {self.dtype}" + (f" below {self.bound:,}" if self.bound else "")

    def fill(self, batch_size: int, generator: torch.Generator) -> torch.Tensor:
        """Random values, on the CPU."""
        import torch

        lengths, dtype = self.lengths(batch_size), getattr(torch, self.dtype)
        if dtype is torch.bool:
            return torch.randint(0, 2, lengths, generator=generator, dtype=dtype)
        if self.bound is not None:
            return torch.randint(0, self.bound, lengths, generator=generator, dtype=dtype)
        return torch.randn(lengths, generator=generator, dtype=dtype)


def shape_of(text: str) -> Shape | None:
    """Read a shape with its type; None where the text has another form.

    Raises:
        InputDataError: an axis is 0, the type is unknown, or integers lack their bound.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    axes = tuple(found["shape"].split("x"))
    given = found["dtype"] or "float32"
    if given not in DTYPES:
        raise InputDataError(
            f"--input {text} has the unknown type '{given}'", hint=f"types are {', '.join(DTYPES)}"
        )
    dtype, bound = DTYPES[given], found["bound"]
    if any(axis != BATCH and int(axis) == 0 for axis in axes):
        raise InputDataError(f"--input {text} has an axis of length 0")
    is_whole = dtype.startswith(("int", "uint"))
    if is_whole and (bound is None or int(bound) == 0):
        raise InputDataError(
            f"--input {text} does not say how large its integers are",
            hint=f"add the first number that is too large, such as the size of the vocabulary: "
            f"--input '{text.partition('<')[0]}<30000'",
        )
    if bound is not None and not is_whole:
        raise InputDataError(
            f"--input {text} bounds values of type {given}", hint="only integers take <N"
        )
    return Shape(axes=axes, dtype=dtype, bound=None if bound is None else int(bound))
