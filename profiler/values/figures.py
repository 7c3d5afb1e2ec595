"""Named numbers as a person reads them, and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .estimate import Estimate

if TYPE_CHECKING:
    import pandas

COLUMNS = ("figure", "value", "low", "high", "unit", "basis", "source")


def figures_of(record: Any) -> dict[str, Estimate]:
    """The fields of a dataclass that are numbers, by name, where they were seen."""
    named = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value for name, value in named.items() if isinstance(value, Estimate)}


def figure_lines(figures: Mapping[str, Estimate]) -> str:
    """One line a number: "energy_j  567 ± 22 mJ (assumed)"."""
    width = max(map(len, figures), default=0)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in figures.items())


def figure_frame(figures: Mapping[str, Estimate]) -> pandas.DataFrame:
    """One row a number; NaN where no interval is stated."""
    import pandas

    rows = [
        (name, value.point, value.low, value.high, value.unit, value.basis.value, value.source)
        for name, value in figures.items()
    ]
    return pandas.DataFrame(rows, columns=list(COLUMNS))
