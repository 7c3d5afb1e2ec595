"""The moves of an energy counter as arrays, and how often it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from profiler.values.estimate import Basis
from profiler.values.trace import Channel, CounterTrace, FaultKind

Floats = NDArray[np.float64]

FEWEST_SHARP = 8
SHARP_SHARE = 0.25
LEAST_FIT = 0.8
LONGEST_LAG_PERIODS = 0.3
LONGEST_LAG_S = 0.03
FAST_S = 5e-3
HELD_SHARE = 0.05
LEAST_READ_S, USUAL_READ = 7e-5, 0.8
LATE_PERIODS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Moves of one counter as arrays of shape (n,), and what holds between neighbours.

    Args:
        earliest_s: guaranteed lower end of the instant of each move.
        latest_s: guaranteed upper end of it.
        begun_s: when the read that showed it had begun, at the earliest. Its value is of some
            instant from then to `latest_s`, which a thread that is not run in the middle of a read
            reaches late.
        instant_s: the likeliest instant of it.
        energy_j: cumulative joules; comparable only across solid intervals.
        solid: shape (n - 1,), whether the energy between move k and k + 1 is known.
        period_s: usual time between moves; None where too few were seen.
        update_s: time between two updates: shorter than `period_s` where not all of the moves are
            waited for.
        held_s: how long one value is shown, of a counter that moves too often for its moves to be
            watched: a read shows one of the last `held_s`, and reads follow no clock. None for
            others.
        resolution_j: smallest step of the counter.
        longest_lag_s: how far behind its moves the energy shown may be.
    """

    earliest_s: Floats
    latest_s: Floats
    begun_s: Floats
    instant_s: Floats
    energy_j: Floats
    solid: NDArray[np.bool_]
    period_s: float | None
    update_s: float | None
    held_s: float | None
    resolution_j: float
    longest_lag_s: float

    def __len__(self) -> int:
        return len(self.energy_j)

    @property
    def read_deviation_s(self) -> float:
        """How far the instant that a value is of lies off the middle of its read, alike at all.

        A read may take a sensor some time before it has the value, or after that: where the thread
        waits 5 ms for its interpreter each time, always after. The age of a held value is uniform
        only in the mean over many reads.
        """
        reads_s = (self.latest_s - self.begun_s)[:-1]
        usual_s = float(np.quantile(reads_s, USUAL_READ)) if len(reads_s) else 0.0
        held_s = HELD_SHARE * (self.held_s or 0.0)
        return max(max(usual_s, LEAST_READ_S) / math.sqrt(12), held_s)

    def only(self, kept: NDArray[np.bool_]) -> Moves:
        """Some of the moves, the first and the last among them.

        Dropped ones merge their intervals, whose joules stay exact together.
        """
        broken = np.concatenate([[0], np.cumsum(~self.solid)])[kept]
        return replace(
            self,
            earliest_s=self.earliest_s[kept], latest_s=self.latest_s[kept],
            begun_s=self.begun_s[kept], instant_s=self.instant_s[kept],
            energy_j=self.energy_j[kept], solid=np.diff(broken) == 0,
        )  # fmt: skip


def load_moves(trace: CounterTrace) -> Moves:
    """Arrays of a trace; intervals across a reset or a freeze are marked as unknown."""
    earliest_s = np.asarray(trace.earliest_s, dtype=float)
    latest_s = np.asarray(trace.latest_s, dtype=float)
    energy_j = np.asarray(trace.energy_j, dtype=float)
    # Where moves were thinned, gaps tell nothing: the recorder noted what stood still there.
    whole = slice(int(np.searchsorted(latest_s, trace.thinned_before_s or -np.inf)), None)
    period_s = _usual_period(trace.channel.update_period_s, earliest_s[whole], latest_s[whole])
    stated_s = trace.channel.update_period_s
    held_s = stated_s if stated_s is not None and stated_s <= FAST_S else None
    solid = np.diff(np.asarray(trace.epoch)) == 0
    solid[whole] &= ~_lost_energy(earliest_s[whole], latest_s[whole], energy_j[whole], period_s)
    for fault in trace.faults:
        if fault.kind is FaultKind.FROZEN:
            end_s = np.inf if fault.end_s is None else fault.end_s
            solid &= (latest_s[1:] <= fault.start_s) | (latest_s[:-1] >= end_s)
    return Moves(
        earliest_s=earliest_s, latest_s=latest_s,
        begun_s=_begun(trace, earliest_s, latest_s, held_s),
        instant_s=(earliest_s + latest_s) / 2, energy_j=energy_j, solid=solid, period_s=period_s,
        update_s=_update_period(stated_s, earliest_s[whole], latest_s[whole]) or period_s,
        held_s=held_s,
        resolution_j=trace.channel.resolution_j or 0.0,
        longest_lag_s=_longest_lag(trace.channel, period_s),
    )  # fmt: skip


def _begun(
    trace: CounterTrace, earliest_s: Floats, latest_s: Floats, held_s: float | None
) -> Floats:
    """When the read that showed each move had begun, at the earliest.

    The bracket of a move begins with the read before it. Where that is the one that showed the last
    move, brackets overlap by as long as it took; where they do not, other reads came in between,
    which found nothing new: its value was the newest until its read had ended.
    """
    if held_s is not None:
        # A bracket begins two periods before its read, or a little later with the read before.
        return np.minimum(earliest_s + 2 * held_s, latest_s)
    begun_s = earliest_s.copy()
    goes_on = np.diff(np.asarray(trace.epoch)) == 0
    begun_s[:-1][goes_on] = np.minimum(earliest_s[1:], latest_s[:-1])[goes_on]
    if len(latest_s) and (trace.last_seen_s or 0.0) > latest_s[-1]:
        begun_s[-1] = latest_s[-1]
    return begun_s


def _longest_lag(channel: Channel, period_s: float | None) -> float:
    """A part of the shorter of the stated and the seen period; an estimate has no lag to find."""
    if channel.basis is not Basis.MEASURED or period_s is None:
        return 0.0
    shorter_s = min(period_s, channel.update_period_s or math.inf)
    return min(LONGEST_LAG_PERIODS * shorter_s, LONGEST_LAG_S)


def _usual_period(stated_s: float | None, earliest_s: Floats, latest_s: Floats) -> float | None:
    """Median time between moves that were seen sharply; the stated period where there are few."""
    if len(earliest_s) < 4:
        return stated_s
    gaps_s = np.diff((earliest_s + latest_s) / 2)
    widths_s = (latest_s - earliest_s)[1:]
    sharp = widths_s <= 0.5 * np.median(gaps_s)
    if sharp.sum() < 3:
        return stated_s
    return float(np.median(gaps_s[sharp]))


def _update_period(stated_s: float | None, earliest_s: Floats, latest_s: Floats) -> float | None:
    """Time between two updates, refined from the stated one; None where that does not fit.

    Of a counter that moves every 20 ms only every fourth move is waited for: what lies between two
    moves that were seen sharply is a whole number of updates.
    """
    if stated_s is None:
        return None
    sharp = latest_s - earliest_s <= SHARP_SHARE * stated_s
    gaps_s = np.diff(((earliest_s + latest_s) / 2)[sharp])
    counts = np.round(gaps_s / stated_s)
    fits = (counts > 0) & (np.abs(gaps_s - counts * stated_s) <= SHARP_SHARE * stated_s)
    if fits.sum() < FEWEST_SHARP or fits.mean() < LEAST_FIT:
        return None
    return float(gaps_s[fits].sum() / counts[fits].sum())


def _lost_energy(
    earliest_s: Floats, latest_s: Floats, energy_j: Floats, period_s: float | None
) -> NDArray[np.bool_]:
    """Intervals in which the counter stood still, was read all the while, and did not catch up.

    A counter of a powered device moves every period. One that was seen not to, and then went on
    from where it stood, has lost the energy in between: its step fits one period, not the time
    that passed. A step as large as the time asks for is an honest late update, and is kept.
    """
    count = max(len(energy_j) - 1, 0)
    if period_s is None or count < 4:
        return np.zeros(count, dtype=bool)
    still_s = earliest_s[1:] - latest_s[:-1]
    power_w = np.diff(energy_j) / np.maximum(np.diff(latest_s), 1e-9)
    # The step from a value that was seen late tells no power: the first read of all is such a one.
    usual = (still_s < 2 * period_s) & ((latest_s - earliest_s)[:-1] <= LATE_PERIODS * period_s)
    if not usual.any():
        return np.zeros(count, dtype=bool)
    floor_w = 0.7 * float(np.min(power_w[usual]))
    return (still_s > max(3 * period_s, period_s + 0.05)) & (power_w < floor_w)
