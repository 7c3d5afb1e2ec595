"""Layer by layer what changed from one model to another: what `stats --against` shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from profiler.render.document import Column, Table
from profiler.values.layer_cost import LayerCost
from profiler.values.units import show_count

TOTAL = "(whole model)"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """One layer before and after; None where it is not there.

    Args:
        path: of the layer in the model before; of a layer that is new, in the model after.
        kind_before: class name.
        kind_after: class names of everything that stands in its place.
    """

    path: str
    kind_before: str | None
    kind_after: str | None
    parameter_count_before: int | None
    parameter_count_after: int | None
    mac_count_before: int | None
    mac_count_after: int | None


def changes(before: Sequence[LayerCost], after: Sequence[LayerCost]) -> tuple[LayerChange, ...]:
    """Layers whose kind, parameters or MACs differ, in the order of the model.

    Layers of the model after that lie inside a layer before, which had none inside it, stand for it
    together.
    """
    old = {layer.path: layer for layer in before}
    leaves = {path for path in old if not any(other.startswith(f"{path}.") for other in old)}
    new: dict[str, list[LayerCost]] = {}
    for layer in after:
        new.setdefault(_home(layer.path, leaves), []).append(layer)
    paths = [*old, *(path for path in new if path not in old)]
    rows = (_change(path, old.get(path), new.get(path)) for path in paths)
    return tuple(row for row in rows if row is not None)


def _home(path: str, leaves: set[str]) -> str:
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        above = ".".join(parts[:count])
        if above in leaves:
            return above
    return path


def _change(
    path: str, old: LayerCost | None, new: Sequence[LayerCost] | None
) -> LayerChange | None:
    working = [layer for layer in new or () if layer.parameter_count or layer.mac_count]
    kinds = " + ".join(layer.kind for layer in working or new or ())
    change = LayerChange(
        path=path,
        kind_before=old.kind if old else None,
        kind_after=kinds if new else None,
        parameter_count_before=old.parameter_count if old else None,
        parameter_count_after=_sum(layer.parameter_count for layer in new) if new else None,
        mac_count_before=old.mac_count if old else None,
        mac_count_after=_sum(layer.mac_count for layer in new) if new else None,
    )
    is_same = (
        change.kind_before == change.kind_after
        and change.parameter_count_before == change.parameter_count_after
        and change.mac_count_before == change.mac_count_after
    )
    weighs = any((
        change.parameter_count_before, change.parameter_count_after, change.mac_count_before,
        change.mac_count_after,
    ))  # fmt: skip
    return None if is_same or not weighs else change


def _sum(counts: Iterable[int]) -> int:
    return sum(counts)


def changes_table(
    rows: Sequence[LayerChange], totals: Mapping[str, tuple[int, int]], against: str
) -> Table:
    """The changed layers, and the whole model below them.

    Args:
        rows: from `changes`.
        totals: (before, after) of "parameters" and of "MACs".
        against: the model before.
    """
    whole = LayerChange(
        path=TOTAL,
        kind_before="",
        kind_after="",
        parameter_count_before=totals["parameters"][0],
        parameter_count_after=totals["parameters"][1],
        mac_count_before=totals["MACs"][0],
        mac_count_after=totals["MACs"][1],
    )
    return Table(
        caption=f"What differs from {against}, layer by layer",
        columns=(
            Column(label="layer", role="code"),
            Column(label="kind"),
            Column(label="parameters", role="number"),
            Column(label="MACs", role="number"),
            Column(label="of them left", role="number"),
        ),
        rows=tuple(map(_cells, (*rows, whole))),
    )


def _cells(row: LayerChange) -> tuple[str, ...]:
    return (
        row.path or "(model)",
        _arrow(row.kind_before, row.kind_after),
        _arrow(_count(row.parameter_count_before), _count(row.parameter_count_after)),
        _arrow(_count(row.mac_count_before), _count(row.mac_count_after)),
        _left(row.mac_count_before, row.mac_count_after),
    )


def _count(value: int | None) -> str | None:
    return None if value is None else show_count(value)


def _arrow(before: str | None, after: str | None) -> str:
    if before == after:
        return before or ""
    return f"{before or 'none'} -> {after or 'none'}"


def _left(before: int | None, after: int | None) -> str:
    if not before or after is None:
        return ""
    return f"{after / before:.1%}"
