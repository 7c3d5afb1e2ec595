"""Where power really changed: edges of windows are moved to what the counter saw there.

Work that begins late takes energy from its window, work that ends late gives some to the gap. A
normal density of the stray energy would share it evenly between both, and make every window too
large; where the power on both sides is known, its sign tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .moves import Floats
from .panel import Panel
from .segment_model import FLUCTUATIONS, SEGMENTS, STRAY, Model
from .timeline import Timeline

LEAST_STRAY_S = 1e-3
FEWEST_EDGES = 8
# Power that fluctuates displaces as much energy beside an edge as this time of its own strength.
FLUCTUATING_S = 0.04
MOST_FLUCTUATING = 0.5
LEAST_STEP = 0.2
MOST_STRAY_S = 8e-3
ALIKE = 0.02
SHORTEST_S = 0.02


def true_edges(
    timeline: Timeline, panels: Sequence[Panel], strengths: Floats, scale_w: float
) -> Timeline:
    """The timeline with its edges where the power changed, as far as that can be told.

    Args:
        timeline: as the windows have it.
        panels: neighbourhoods of the recording.
        strengths: learned, of the parts of the power.
        scale_w: mean power of the recording.
    """
    fluctuating_s = FLUCTUATING_S * float(strengths[list(FLUCTUATIONS)].max())
    stray_s = float(strengths[STRAY])
    if stray_s < LEAST_STRAY_S or fluctuating_s > MOST_FLUCTUATING * stray_s:
        return timeline
    if len(timeline.edges_s) < FEWEST_EDGES:
        return timeline
    strays_s: dict[float, float] = {}
    for panel in panels:
        strays_s |= _strays_s(panel, strengths, scale_w)
    return timeline.moved(np.array([strays_s.get(edge_s, 0.0) for edge_s in timeline.edges_s]))


def _strays_s(panel: Panel, strengths: Floats, scale_w: float) -> dict[float, float]:
    """By edge, how much later than it the power changed."""
    energy_j = Model(panel, scale_w).cell_energies_j(strengths)
    last = np.flatnonzero(np.diff(panel.segment) != 0)
    beside = np.zeros(len(energy_j), dtype=bool)
    beside[last] = beside[last + 1] = True
    alike = tuple(bool(strengths[place] <= ALIKE) for place in SEGMENTS)
    found: dict[float, float] = {}
    for cell in last:
        left_w = _usual_power(panel, energy_j, beside, int(cell), alike)
        right_w = _usual_power(panel, energy_j, beside, int(cell) + 1, alike)
        if left_w is None or right_w is None or abs(left_w - right_w) < LEAST_STEP * scale_w:
            continue
        expected_j = left_w * panel.duration_s[cell] + right_w * panel.duration_s[cell + 1]
        late_s = (energy_j[cell] + energy_j[cell + 1] - expected_j) / (left_w - right_w)
        # So far no edge strays: that power is not what it was taken for.
        if abs(late_s) <= MOST_STRAY_S:
            found[float(panel.start_s[cell + 1])] = float(late_s)
    return found


def _usual_power(
    panel: Panel,
    energy_j: Floats,
    beside: NDArray[np.bool_],
    cell: int,
    alike: tuple[bool, ...],
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
