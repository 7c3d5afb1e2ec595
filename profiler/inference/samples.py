"""Power samples beside a counter: soft equations on the mean power of short spans.

A sensor of instant power shows the mean over some milliseconds before its own update, which is
taken to be the update of the counter. Whether that, and the sensor itself, can be believed is
decided by the marginal likelihood: the strength of their noise is learned, and its largest value
leaves them without weight. Their gain may differ from the counter's by `GAIN_DEVIATION`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profiler.values.trace import PowerTrace

from .moves import Floats, Moves

GAIN_DEVIATION = 0.05
LONGEST_AVERAGING_PERIODS = 0.5
NEAR_EDGE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Arrays of shape (n,): `power_w` as read at `time_s`, a mean over `averaging_s`."""

    time_s: Floats
    power_w: Floats
    averaging_s: float


NO_SAMPLES = Samples(time_s=np.zeros(0), power_w=np.zeros(0), averaging_s=0.0)


def load_samples(power: PowerTrace | None, moves: Moves) -> Samples:
    """The samples of a sensor that averages over a small part of the counter's period only."""
    if power is None or not power.channel.averaging_s or moves.period_s is None:
        return NO_SAMPLES
    if power.channel.averaging_s > LONGEST_AVERAGING_PERIODS * moves.period_s:
        return NO_SAMPLES
    time_s = np.asarray(power.time_s, dtype=float)
    whole = time_s >= (-np.inf if power.thinned_before_s is None else power.thinned_before_s)
    return Samples(
        time_s=time_s[whole],
        power_w=np.asarray(power.power_w, dtype=float)[whole],
        averaging_s=power.channel.averaging_s,
    )


def updates_near_edges(
    samples: Samples, earliest_s: Floats, latest_s: Floats, shown_s: Floats, edges_s: Floats
) -> tuple[Floats, Floats]:
    """Instant and power of the updates beside the edges of windows: (shape (u,), shape (u,)).

    A sample belongs to the move before it, if the next one surely came later.

    Args:
        samples: of the whole recording.
        earliest_s: shape (m,), lower ends of the brackets of the moves.
        latest_s: shape (m,), upper ends.
        shown_s: shape (m,), likely instants of the moves.
        edges_s: edges of windows.
    """
    if not len(samples.time_s) or not len(edges_s) or len(shown_s) < 3:
        return np.zeros(0), np.zeros(0)
    move = np.searchsorted(latest_s, samples.time_s, side="right") - 1
    inside = np.flatnonzero((move >= 1) & (move < len(latest_s) - 1))
    sure = inside[samples.time_s[inside] < earliest_s[move[inside] + 1]]
    move, first = np.unique(move[sure], return_index=True)
    update_s, power_w = shown_s[move], samples.power_w[sure][first]
    after = np.searchsorted(edges_s, update_s)
    before_s = np.abs(update_s - edges_s[np.maximum(after - 1, 0)])
    after_s = np.abs(update_s - edges_s[np.minimum(after, len(edges_s) - 1)])
    near = np.minimum(before_s, after_s) < NEAR_EDGE_S
    return update_s[near], power_w[near]
