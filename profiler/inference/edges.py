"""Where power really changed: edges of windows are moved to what the counter saw there.

Work that begins late takes energy from its window, work that ends late gives some to the gap. A
normal density of the stray energy would share it evenly between both, and make every window too
large; where the power on both sides is known, its sign tells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .moves import Floats
from .panel import Panel, ask_cells
from .segment_model import build_model

LEAST_STRAY_S = 1e-3
FEWEST_EDGES = 8
MOST_FLUCTUATION = 0.06
LEAST_STEP = 0.2
MOST_STRAYS = 3.0
ALIKE = 0.02
SHORTEST_S = 0.02


def true_edges(
    panel: Panel, strengths: Floats, scale_w: float, stray_s: float
) -> dict[float, float]:
    """Edge of a window -> instant at which the power changed, where that can be told.

    Args:
        panel: a neighbourhood of the recording.
        strengths: learned weights of the parts of the power.
        scale_w: mean power of the recording.
        stray_s: usual stray of an edge.
    """
    energy_j, _ = build_model(ask_cells(panel), scale_w).posterior(strengths)
    last = np.flatnonzero(np.diff(panel.segment) != 0)
    beside = np.zeros(len(energy_j), dtype=bool)
    beside[last] = beside[last + 1] = True
    alike = (bool(strengths[0] <= ALIKE), bool(strengths[1] <= ALIKE))
    moved: dict[float, float] = {}
    for cell in last:
        left_w = _usual_power(panel, energy_j, beside, int(cell), alike)
        right_w = _usual_power(panel, energy_j, beside, int(cell) + 1, alike)
        if left_w is None or right_w is None or abs(left_w - right_w) < LEAST_STEP * scale_w:
            continue
        expected_j = left_w * panel.duration_s[cell] + right_w * panel.duration_s[cell + 1]
        stray = (energy_j[cell] + energy_j[cell + 1] - expected_j) / (left_w - right_w)
        edge_s = float(panel.start_s[cell + 1])
        moved[edge_s] = edge_s + float(
            np.clip(stray, -MOST_STRAYS * stray_s, MOST_STRAYS * stray_s)
        )
    return moved


def _usual_power(
    panel: Panel, energy_j: Floats, beside: NDArray[np.bool_], cell: int, alike: tuple[bool, bool]
) -> float | None:
    """Mean power of one segment away from its edges, else of its label where all are alike."""
    groups = [panel.segment]
    if alike[int(panel.is_gap[cell])]:
        groups.append(panel.label)
    for group in groups:
        inner = (group == group[cell]) & ~beside
        inner_s = float(panel.duration_s[inner].sum())
        if inner_s > SHORTEST_S:
            return float(energy_j[inner].sum()) / inner_s
    return None
