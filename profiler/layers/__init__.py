"""Time and joules of every layer, and the test that they add up to the whole.

survey ──▶ timing in situ ──▶ seconds ──┐
   │                                    ├──▶ rows, closures ──▶ LayerReport
   └────▶ replay ──▶ power ──▶ watts ───┘
"""

from __future__ import annotations

from .conductor import measure_layers
from .report import LayerReport, LeftOut

__all__ = ["LayerReport", "LeftOut", "measure_layers"]
