"""The layers of a profile as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from profiler.layercost import LayerCost
from profiler.layertable import LAYER_COLUMNS, layer_rows

if TYPE_CHECKING:
    import pandas


def layer_frame(layers: Iterable[LayerCost]) -> pandas.DataFrame:
    """One row a layer, columns of `profiler.layertable.LAYER_COLUMNS`; NaN where not seen."""
    import pandas

    return pandas.DataFrame(layer_rows(layers), columns=list(LAYER_COLUMNS))
