"""What was done to a model, transform by transform, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.values.applied_transform import AppliedTransform
from profiler.values.units import show_share

from .document import Column, Table

_SHOWN = 3


def transforms_table(transforms: Sequence[AppliedTransform]) -> Table:
    """One row a transform: bits, what it removed or zeroed, what it could not change."""
    return Table(
        caption="Transforms, in their order",
        columns=(
            Column(label="transform", role="code"),
            Column(label="bits of weights / activations", role="number"),
            Column(label="p_s", role="number"),
            Column(label="p_u", role="number"),
            Column(label="left as it was"),
        ),
        rows=tuple(map(_row, transforms)),
    )


def _row(item: AppliedTransform) -> tuple[str, ...]:
    is_set = item.weight_bits is not None
    return (
        item.name,
        f"{item.weight_bits} / {item.activation_bits}" if is_set else "",
        show_share(item.p_s) if item.p_s else "",
        show_share(item.p_u) if item.p_u else "",
        _left_alone(item),
    )


def _left_alone(item: AppliedTransform) -> str:
    shown = [f"{left.layer} {left.reason}" for left in item.left_alone[:_SHOWN]]
    rest = len(item.left_alone) - _SHOWN
    return "; ".join([*shown, *([f"and {rest} more"] if rest > 0 else [])])
