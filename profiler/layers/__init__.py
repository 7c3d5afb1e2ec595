"""Time and joules of every layer, and the test that they add up to the whole.

survey ──▶ timing in situ ──▶ seconds ──┐
   │                                    ├──▶ rows, closures ──▶ LayerReport
   └────▶ replay ──▶ power ──▶ watts ───┘
"""

from __future__ import annotations

from profiler.values.layer_report import LayerReport, LeftOut

from .measurement import measure_layers

__all__ = ["LayerReport", "LeftOut", "measure_layers"]
