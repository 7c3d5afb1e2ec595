"""How far all edges of one kind lie off the changes of power that belong to them.

A thread that sleeps until its work is done reads the clock a tenth of a millisecond late, each
time; work begins a little after its window was opened. Strays that differ from edge to edge are
part of the model (`strays.py`). What they have in common would make all windows of a recording too
large, or too small. It is the drift of a regression whose residuals are the model's own: universal
kriging (Chiles and Delfiner, Geostatistics, 2nd ed., 2012, section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .moves import Floats
from .segment_model import STRAY, Model
from .timeline import EDGE_KIND_COUNT, Timeline, kinds_of_edges

USUAL_SHIFT_S = 2e-4
MOST_USUAL_SHIFT_S = 1e-3
FEWEST_EDGES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """How much later than its edges power changes, by kind of edge.

    Args:
        late_s: shape (kinds,); 0 where the recording does not tell.
        covariance_s2: shape (kinds, kinds), what it leaves open.
    """

    late_s: Floats
    covariance_s2: Floats

    def applied(self, timeline: Timeline) -> Timeline:
        """The timeline with its edges where power changes."""
        if not self.late_s.any():
            return timeline
        return timeline.moved(self.late_s[kinds_of_edges(timeline.label_of)])


def find_shifts(
    timeline: Timeline, models: Sequence[Model], strengths: Floats, read_deviation_s: float
) -> Shifts:
    """What all edges of a kind have in common.

    Args:
        timeline: as the windows have it.
        models: of panels all over the recording.
        strengths: learned, of the parts of the power.
        read_deviation_s: of the instants of the reads, alike at all of them.
    """
    # Two edges of one window have nothing in common: bursts beside them would pass for a shift.
    many = len(timeline.edges_s) >= FEWEST_EDGES
    # Power that is nowhere alike looks like shifts of many ms, each way at another kind of edge.
    usual_s = float(strengths[STRAY]) if many else 0.0
    usual_s = min(max(usual_s, USUAL_SHIFT_S), MOST_USUAL_SHIFT_S)
    information = np.eye(EDGE_KIND_COUNT) / usual_s**2
    score = np.zeros(EDGE_KIND_COUNT)
    for model in models:
        own_information, own_score = model.shift_evidence(strengths)
        information += own_information
        score += own_score
    covariance_s2: Floats = np.linalg.inv(information).astype(np.float64)
    late_s = covariance_s2 @ score
    # Which instant of a read its value is of is unknown, alike at all reads: that is no shift.
    covariance_s2 += np.eye(EDGE_KIND_COUNT) * read_deviation_s**2
    # A shift within its own deviation is left open: moved edges cost time.
    told = np.abs(late_s) > np.sqrt(np.diag(covariance_s2))
    covariance_s2 += np.diag(np.where(told, 0.0, late_s) ** 2)
    return Shifts(late_s=np.where(told, late_s, 0.0), covariance_s2=covariance_s2)
