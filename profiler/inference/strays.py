"""Energy on the wrong side of the edges of windows, because work never begins and ends on the dot.

As much as power changes at an edge, for as long as the work strays from it: by a normal number to
either side. So it reaches beyond the next move of the counter where that is close, and less far the
less the edges stray: intervals of the counter that no stray can have reached stay exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .moves import Floats
from .panel import Panel

LEAST_STEP = 0.1


class Strays:
    """What each cell of a panel may hold of the energy at the edges around it.

    Args:
        panel: a neighbourhood of the recording.
        power_w: shape (c,), of each cell.
        scale_w: mean power of the recording; an edge is a step of a tenth of it at least.
    """

    def __init__(self, panel: Panel, power_w: Floats, scale_w: float) -> None:
        last = np.flatnonzero(np.diff(panel.segment) != 0)
        edges_s = panel.start_s[last + 1][:, None]
        before_s = edges_s - (panel.start_s + panel.duration_s)
        step_w = np.maximum(np.abs(power_w[last + 1] - power_w[last]), LEAST_STEP * scale_w)
        self.edges_s: Floats = edges_s[:, 0]
        self._step_w2: Floats = step_w**2
        self._after: NDArray[np.bool_] = panel.start_s >= edges_s
        self._near_s: Floats = np.maximum(np.maximum(panel.start_s - edges_s, before_s), 0.0)
        self._far_s: Floats = self._near_s + panel.duration_s

    def variance_j2(self, stray_s: float) -> Floats:
        """Variance of the joules of each cell, for edges with that deviation, shape (c,)."""
        if stray_s <= 0:
            return np.zeros(self._near_s.shape[1])
        shares = _beyond(self._near_s / stray_s) - _beyond(self._far_s / stray_s)
        found: Floats = stray_s**2 * (self._step_w2 @ shares)
        return found

    def displaced_j(self, stray_s: float) -> Floats:
        """Joules that each cell has too many if an edge strays that far, shape (2, edges, c).

        First for changes of power that come later than the edge, then for those that come before.
        """
        within_s = np.maximum(np.minimum(self._far_s, stray_s) - self._near_s, 0.0)
        moved_j = np.sqrt(self._step_w2)[:, None] * within_s
        return np.stack([moved_j * self._after, moved_j * ~self._after])


def _beyond(distance: Floats) -> Floats:
    """Mean square of |z| - distance where that is positive, of a standard normal z."""
    from scipy.special import erfc

    density = np.sqrt(2 / np.pi) * distance * np.exp(-(distance**2) / 2)
    found: Floats = (1 + distance**2) * erfc(distance / np.sqrt(2)) - density
    return found
