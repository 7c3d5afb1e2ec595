"""The layers of a profile as flat rows: one shape for `layers.csv` and for pandas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .estimate import Estimate
from .layer_cost import LayerCost

if TYPE_CHECKING:
    import pandas

Scalar = str | int | float | None

# A cell that starts with one of these is run as a formula by spreadsheets.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

LAYER_COLUMNS = (
    "path",
    "kind",
    "call_count",
    "parameter_count",
    "mac_count",
    "effective_mac_count",
    "read_bytes",
    "written_bytes",
    "latency_s",
    "latency_low_s",
    "latency_high_s",
    "latency_basis",
    "energy_j",
    "energy_low_j",
    "energy_high_j",
    "energy_basis",
    "macs_per_byte",
    "joules_per_mac",
    "floor_s",
    "floor_j",
    "achieved_share",
    "bound",
    "uncounted_ops",
)


def layer_rows(layers: Iterable[LayerCost]) -> list[dict[str, Scalar]]:
    """One dict a layer, with the keys of `LAYER_COLUMNS`; None for what was not seen."""
    return [
        {
            "path": layer.path,
            "kind": layer.kind,
            "call_count": layer.call_count,
            "parameter_count": layer.parameter_count,
            "mac_count": layer.mac_count,
            "effective_mac_count": layer.effective_mac_count,
            "read_bytes": layer.read_bytes,
            "written_bytes": layer.written_bytes,
            **interval_columns("latency", "s", layer.latency_s),
            **interval_columns("energy", "j", layer.energy_j),
            "macs_per_byte": layer.macs_per_byte,
            "joules_per_mac": None if (each := layer.joules_per_mac) is None else each.point,
            "floor_s": layer.floor_s,
            "floor_j": layer.floor_j,
            "achieved_share": layer.achieved_share,
            "bound": layer.bound,
            "uncounted_ops": " ".join(layer.uncounted_ops),
        }
        for layer in layers
    ]


def interval_columns(name: str, unit: str, estimate: Estimate | None) -> dict[str, Scalar]:
    """Four cells of a number: value, both ends of its interval, basis; empty where not seen."""
    return {
        f"{name}_{unit}": None if estimate is None else estimate.point,
        f"{name}_low_{unit}": None if estimate is None else estimate.low,
        f"{name}_high_{unit}": None if estimate is None else estimate.high,
        f"{name}_basis": None if estimate is None else estimate.basis.value,
    }


def write_csv(columns: Iterable[str], rows: Iterable[dict[str, Scalar]]) -> str:
    """Rows as CSV (RFC 4180, LF), with every text cell made harmless for spreadsheets."""
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return buffer.getvalue()


def _cell(value: Scalar) -> Scalar:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


pass

if TYPE_CHECKING:
    import pandas


def layer_frame(layers: Iterable[LayerCost]) -> pandas.DataFrame:
    """One row a layer, columns of `profiler.layertable.LAYER_COLUMNS`; NaN where not seen."""
    import pandas

    return pandas.DataFrame(layer_rows(layers), columns=list(LAYER_COLUMNS))
