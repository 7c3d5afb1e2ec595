"""What the loop told at the end of an epoch, brought up to the moment at which it is drawn."""

from __future__ import annotations

from dataclasses import replace

from profiler.estimate import Estimate
from training.view import Progress

LEAST_S = 5.0
"""How long a pace is watched before anything is said of it."""


def brought_up(progress: Progress, energy_j: Estimate | None, gone_s: float) -> Progress:
    """The same, some seconds later: grams have grown as joules have, and less is left.

    Args:
        progress: at the end of the last epoch.
        energy_j: joules of the run by now; None where they are not known.
        gone_s: seconds since that end.
    """
    left_s = None if progress.left_s is None else max(progress.left_s - gone_s, 0.0)
    settled_j = progress.point.energy_j
    if energy_j is None or settled_j is None or min(settled_j.point, energy_j.point) <= 0:
        return replace(progress, left_s=left_s)
    carbon_g, left_j = progress.carbon_g, progress.left_j
    if carbon_g is not None:
        carbon_g = carbon_g.scaled(energy_j.point / settled_j.point, carbon_g.unit)
    if left_j is not None:
        spent_j = max(energy_j.point - settled_j.point, 0.0)
        left_j = replace(left_j, point=max(left_j.point - spent_j, 0.0), low=None, high=None)
    return replace(progress, carbon_g=carbon_g, left_s=left_s, left_j=left_j)


class Pace:
    """How fast the batches go, before whole epochs can tell."""

    def __init__(self) -> None:
        self._begun: tuple[float, float] | None = None

    def left_s(self, now_s: float, done: float) -> float | None:
        """Seconds until `done` is 1 at the pace since the first call; None while it is young."""
        if self._begun is None:
            self._begun = now_s, done
        begun_s, begun = self._begun
        if now_s - begun_s < LEAST_S or done <= begun:
            return None
        return (now_s - begun_s) / (done - begun) * (1 - done)
