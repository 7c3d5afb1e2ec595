"""How much of a target a counter can tell, in seconds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .anchors import Spans
from .moves import Floats, Moves

PATIENCE_PERIODS = 2.5
# A counter that moves more often is looked at no more often, and at times late.
LEAST_SPACING_S = 0.1
UNKNOWN_SHARE = 0.2
MOST_WAITING = 0.8


class TargetCoverage(NamedTuple):
    """Seconds of one target, or of each of many: all, and those that the counter cannot tell."""

    whole_s: float
    before_s: float
    after_s: float
    broken_s: float


class Coverage(NamedTuple):
    """Seconds of every target, each of shape (targets,), and whether they can be told."""

    whole_s: Floats
    before_s: Floats
    after_s: Floats
    broken_s: Floats
    tellable: NDArray[np.bool_]

    def of_targets(self) -> list[TargetCoverage]:
        """One by one."""
        rows = np.stack([self.whole_s, self.before_s, self.after_s, self.broken_s], axis=1)
        return [TargetCoverage(*row) for row in rows.tolist()]


def patience(moves: Moves) -> float:
    """How long the next move may be waited for, s, before something must be wrong."""
    return PATIENCE_PERIODS * max(moves.period_s or 0.0, LEAST_SPACING_S)


def measure_coverage(moves: Moves, spans: Spans) -> Coverage:
    """What of each target lies before the first move, after the last, and where energy was lost.

    One period at either end is the ordinary wait for a move. Beyond it, or around a reset, the
    segment model may fill a small share of a target, never most of it. Of a target that hardly
    began before the last move, nobody knows whether it draws more than all that was seen before.
    """
    moved_s = moves.instant_s
    before_s = np.maximum(np.minimum(spans.end_s, moved_s[0]) - spans.start_s, 0.0)
    after_s = np.maximum(spans.end_s - np.maximum(spans.start_s, moved_s[-1]), 0.0)
    gone_s = np.zeros(len(before_s))
    for k in np.flatnonzero(~moves.solid):
        overlap_s = np.minimum(spans.end_s, moved_s[k + 1]) - np.maximum(spans.start_s, moved_s[k])
        gone_s += np.maximum(overlap_s, 0.0)
    whole, before, after, broken = (
        spans.sum(seconds) for seconds in (spans.end_s - spans.start_s, before_s, after_s, gone_s)
    )
    patience_s = patience(moves)
    unknown = before + after + broken
    patient = (after <= patience_s) & (before <= patience_s)
    patient &= before + after <= MOST_WAITING * whole
    tellable = (unknown < UNKNOWN_SHARE * whole) | (patient & (broken <= UNKNOWN_SHARE * whole))
    return Coverage(whole, before, after, broken, tellable & (whole > 0))


def unseen_j(moves: Moves, spans: Spans, cover: Coverage) -> Floats:
    """Joules by which the part of a target that the counter never told may stray, shape (targets,).

    What a device did while its counter was lost or began anew is known to nobody: it may have drawn
    nothing, or as much again as the most that was seen. The wait for a move at either end is no
    such part.
    """
    patience_s = patience(moves)
    unseen_s = cover.broken_s.copy()
    for ends_s in (cover.before_s, cover.after_s):
        unseen_s += np.where(ends_s > patience_s, ends_s, 0.0)
    powers_w = np.diff(moves.energy_j) / np.maximum(np.diff(moves.instant_s), 1e-9)
    most_w = np.zeros(len(unseen_s))
    for target in np.flatnonzero(unseen_s):
        own = spans.target == target
        near = moves.solid & (moves.instant_s[1:] > spans.start_s[own].min())
        near &= moves.instant_s[:-1] < spans.end_s[own].max()
        most_w[target] = powers_w[near if near.any() else moves.solid].max(initial=0.0)
    return unseen_s * most_w
