"""What counting a model gives: totals, one row a layer, and what could not be counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.values.layer_cost import LayerCost

if TYPE_CHECKING:
    import pandas


_COLUMNS = (
    "path",
    "kind",
    "call_count",
    "parameter_count",
    "mac_count",
    "effective_mac_count",
    "read_bytes",
    "written_bytes",
    "uncounted_ops",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """What an independent counter makes of the same call, matrix products and convolutions only.

    Args:
        verdict: "agree", "disagree" or "unavailable".
        source: the counter, with its version.
        mac_count: its count of convolutions and matrix products; None when it could not run.
        differing_ops: (family of operators, our MACs, its MACs) wherever the two differ.
        unsupported_ops: operators it says it has no formula for.
        reason: why it could not run; None when it did.
    """

    verdict: str
    source: str
    mac_count: int | None = None
    differing_ops: tuple[tuple[str, int, int], ...] = ()
    unsupported_ops: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one call of a model costs by definition of its operators, not by measurement.

    MACs are those of convolutions and matrix products; normalization, pooling, activation and
    other element-wise work has none. Bytes are unfused traffic: what every operator would read
    and write if nothing stayed in a cache or a register.

    Args:
        mac_count: multiply-accumulates of the forward call; a complex one counts as one, in matrix
            products and convolutions alike.
        effective_mac_count: those whose weight is not zero; None where weights have no values
            (the meta device).
        backward_mac_count: multiply-accumulates of the backward pass; None when not asked for.
        parameter_count: elements of all parameters, shared ones once.
        parameter_bytes: their size.
        buffer_bytes: size of the buffers.
        weight_read_bytes: bytes read from parameters, buffers and tensors made of these alone.
        activation_read_bytes: bytes read from everything else.
        written_bytes: bytes written.
        layers: every module that ran or owns parameters, itself without its children, in the
            order of `named_modules`.
        backward_layers: (path, MACs of the backward pass) of the modules that have any.
        op_mac_counts: (operator, forward MACs) of every operator that has any.
        fourier_operation_count: real operations of Fourier transforms in the forward call, 5 N log2
            N for N complex points and half of it for real ones; they are not MACs and not in them.
        uncounted_ops: operators without a formula that are not known to have none: `mac_count` is a
            lower bound where there are any.
        op_call_count: operator calls seen, views included.
        covered_call_count: of these, the calls that have a formula or are known to need none.
        rules: rules of the caller's that were applied, as text: the MACs of these modules are the
            caller's word, or left out.
        second_opinion: an independent count; None when not asked for.
    """

    mac_count: int
    effective_mac_count: int | None
    backward_mac_count: int | None
    parameter_count: int
    parameter_bytes: int
    buffer_bytes: int
    weight_read_bytes: int
    activation_read_bytes: int
    written_bytes: int
    layers: tuple[LayerCost, ...]
    backward_layers: tuple[tuple[str, int], ...]
    op_mac_counts: tuple[tuple[str, int], ...]
    uncounted_ops: tuple[str, ...]
    op_call_count: int
    covered_call_count: int
    fourier_operation_count: int = 0
    rules: tuple[str, ...] = ()
    second_opinion: SecondOpinion | None = None

    @property
    def size_bytes(self) -> int:
        """Parameters and buffers together."""
        return self.parameter_bytes + self.buffer_bytes

    @property
    def read_bytes(self) -> int:
        """Unfused traffic read, weights and activations together."""
        return self.weight_read_bytes + self.activation_read_bytes

    @property
    def covered_share(self) -> float | None:
        """Share of the operator calls that have a formula or are known to need none."""
        return self.covered_call_count / self.op_call_count if self.op_call_count else None

    def to_pandas(self) -> pandas.DataFrame:
        """One row a layer, without the columns that only a measurement can fill."""
        import pandas

        rows = [[getattr(layer, name) for name in _COLUMNS] for layer in self.layers]
        return pandas.DataFrame(rows, columns=_COLUMNS)


def rollup(layers: Iterable[LayerCost], depth: int) -> tuple[LayerCost, ...]:
    """Layers summed into the modules `depth` names below the model ("" is depth 0).

    A row that stands for deeper layers keeps the kind and the call count of its own module where
    that module is among the layers; else its kind is "" and its call count 0.
    """
    if depth < 0:
        raise ValueError(f"depth must be 0 or more, not {depth}")
    listed = tuple(layers)
    own = {layer.path: layer for layer in listed}

    def head(layer: LayerCost) -> str:
        return ".".join(layer.path.split(".")[:depth])

    def label(key: str, _: list[LayerCost]) -> tuple[str, str, int]:
        layer = own.get(key)
        return (key, layer.kind, layer.call_count) if layer else (key, "", 0)

    return _grouped(listed, head, label)


def by_kind(layers: Iterable[LayerCost]) -> tuple[LayerCost, ...]:
    """Layers summed by their class name, most MACs first; the path of a row is its kind."""

    def label(key: str, members: list[LayerCost]) -> tuple[str, str, int]:
        return key, key, sum(layer.call_count for layer in members)

    rows = _grouped(tuple(layers), lambda layer: layer.kind, label)
    return tuple(sorted(rows, key=lambda row: -row.mac_count))


def _grouped(
    layers: tuple[LayerCost, ...],
    key_of: Callable[[LayerCost], str],
    label: Callable[[str, list[LayerCost]], tuple[str, str, int]],
) -> tuple[LayerCost, ...]:
    groups: dict[str, list[LayerCost]] = {}
    for layer in layers:
        groups.setdefault(key_of(layer), []).append(layer)
    rows = []
    for key, members in groups.items():
        path, kind, call_count = label(key, members)
        effective = [layer.effective_mac_count for layer in members]
        known = [count for count in effective if count is not None]
        rows.append(
            LayerCost(
                path=path,
                kind=kind,
                call_count=call_count,
                parameter_count=sum(layer.parameter_count for layer in members),
                mac_count=sum(layer.mac_count for layer in members),
                read_bytes=sum(layer.read_bytes for layer in members),
                written_bytes=sum(layer.written_bytes for layer in members),
                uncounted_ops=tuple(
                    dict.fromkeys(name for layer in members for name in layer.uncounted_ops)
                ),
                effective_mac_count=sum(known) if len(known) == len(effective) else None,
            )
        )
    return tuple(rows)
