"""Rows of layers, sorted, and summed by kind of work or by depth in the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from profiler.values.estimate import Estimate, total
from profiler.values.layer_cost import LayerCost

BETWEEN = "between layers"

# The first pattern that is found in a class name says what kind of work it is.
_FAMILIES = (
    ("attention", r"Attention"),
    ("conv", r"Conv"),
    ("norm", r"Norm|FRN"),
    ("pool", r"Pool"),
    ("recurrent", r"LSTM|GRU|RNN"),
    ("embedding", r"Embedding"),
    ("linear", r"Linear|Dense"),
    ("activation", r"ReLU|GELU|SiLU|Mish|Swish|Sigmoid|Tanh|ELU|Softmax|Softplus|GLU|Activation"),
    ("dropout", r"Drop"),
    ("reshape", r"Flatten|Identity|Shuffle|Upsample|Fold|Pad|Permute"),
)

SORT_KEYS: dict[str, Callable[[LayerCost], float]] = {
    "latency": lambda row: _point(row.latency_s),
    "energy": lambda row: _point(row.energy_j),
    "macs": lambda row: row.mac_count,
    "parameters": lambda row: row.parameter_count,
    "bytes": lambda row: row.moved_bytes,
    "calls": lambda row: row.call_count,
    "intensity": lambda row: row.macs_per_byte or 0.0,
    "pj-per-mac": lambda row: _point(row.joules_per_mac),
    "achieved": lambda row: row.achieved_share or 0.0,
}
"""What `--sort` takes; the largest comes first."""


def _point(estimate: Estimate | None) -> float:
    return -1.0 if estimate is None else estimate.point


def family_of(kind: str) -> str:
    """conv, norm, activation, linear, ...; a class name of no known kind stands for itself."""
    return next((name for name, pattern in _FAMILIES if re.search(pattern, kind)), kind)


def sort_layers(layers: Iterable[LayerCost], key: str | None) -> tuple[LayerCost, ...]:
    """Rows by a key of `SORT_KEYS`, largest first; in the order of the model without one."""
    rows = tuple(layers)
    return rows if key is None else tuple(sorted(rows, key=SORT_KEYS[key], reverse=True))


def group_by_kind(
    layers: Iterable[LayerCost], outside: Container[str] = ()
) -> tuple[LayerCost, ...]:
    """One row a kind of work, longest first; `outside` names rows of work between layers."""
    groups: dict[str, list[LayerCost]] = {}
    for row in layers:
        key = BETWEEN if row.path in outside else family_of(row.kind)
        groups.setdefault(key, []).append(row)
    summed = (
        replace(_summed(rows), path=key, kind=f"{len(rows)} module(s)")
        for key, rows in groups.items()
    )
    return sort_layers(summed, "latency")


def group_by_depth(layers: Iterable[LayerCost], depth: int) -> tuple[LayerCost, ...]:
    """One row a module `depth` names below the model, with everything inside it."""
    rows = tuple(layers)
    own = {row.path: row for row in rows}
    groups: dict[str, list[LayerCost]] = {}
    for row in rows:
        groups.setdefault(".".join(row.path.split(".")[:depth]), []).append(row)
    summed = []
    for path, members in groups.items():
        head = own.get(path)
        kind, calls = (head.kind, head.call_count) if head else ("", 0)
        summed.append(replace(_summed(members), path=path, kind=kind, call_count=calls))
    return tuple(summed)


def _summed(rows: Sequence[LayerCost]) -> LayerCost:
    """Everything added up; None where a part that ran was not seen."""
    ran = [row for row in rows if row.latency_s is not None]
    effective = [row.effective_mac_count for row in rows]
    known = [count for count in effective if count is not None]
    floors = [row for row in ran if row.floor_s is not None]
    complete = bool(ran) and len(floors) == len(ran)
    return replace(
        rows[0],
        call_count=sum(row.call_count for row in rows),
        parameter_count=sum(row.parameter_count for row in rows),
        mac_count=sum(row.mac_count for row in rows),
        read_bytes=sum(row.read_bytes for row in rows),
        written_bytes=sum(row.written_bytes for row in rows),
        uncounted_ops=tuple(dict.fromkeys(name for row in rows for name in row.uncounted_ops)),
        effective_mac_count=sum(known) if len(known) == len(effective) else None,
        latency_s=_sum([row.latency_s for row in ran]),
        energy_j=_sum([row.energy_j for row in ran]),
        # What one row gains in share others lose: their intervals do not add up.
        time_share=ran[0].time_share if len(ran) == 1 else None,
        floor_s=sum(row.floor_s or 0.0 for row in floors) if complete else None,
        floor_j=_plain_sum([row.floor_j for row in ran]) if complete else None,
        bound=max(floors, key=lambda row: row.floor_s or 0.0).bound if complete else None,
    )


def _sum(parts: Sequence[Estimate | None]) -> Estimate | None:
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return known[0] if len(known) == 1 else total(known, source=known[0].source)


def _plain_sum(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None
