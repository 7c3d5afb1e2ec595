"""Inference: traces and windows in, joules with intervals out. Pure functions.

CounterTrace ──▶ moves ──▶ bracket (guaranteed bounds)
                   │          │ clips
windows ──▶ knots ─┴─▶ anchors ──▶ panels ──▶ segment model ──▶ widths ──▶ Estimate
PowerTrace ──▶ trapezoids ───────────────────────────────────────────────▶ Estimate
"""

from __future__ import annotations

from .combine import infer_energies
from .energies import ChannelEnergy, TargetEnergy
from .energy_counter import infer_counter
from .trapezoids import integrate_power

__all__ = [
    "ChannelEnergy",
    "TargetEnergy",
    "infer_counter",
    "infer_energies",
    "integrate_power",
]
