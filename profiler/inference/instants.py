"""When an energy counter moved: sharper instants than the polling brackets, where they allow it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .moves import FEWEST_SHARP, SHARP_SHARE, Floats, Moves

FIT_LENGTHS = (512, 128, 32)
SHORT_FIT_LENGTHS = (16,)
LEAST_SHARP = 0.1
SLOPE_COUNT = 97
ALIKE_S = 0.15
PLACED_COUNT, MARGIN_COUNT = 448, 32
UNCLEAR_TIMES, UNCLEAR_SHARE = 5.0, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Instants:
    """When a run of moves happened.

    Args:
        mean_s: shape (n,), never falling.
        covariance_s2: shape (n, n), what the brackets leave open; errors of one line go together.
    """

    mean_s: Floats
    covariance_s2: Floats


def locate(moves: Moves, first: int, last: int) -> Instants:
    """Instants of the moves first..last - 1.

    Most counters are updated by a strictly periodic task. Where one straight line (phase, period)
    passes through every bracket of a run of moves, all such lines are taken as equally likely
    and the instants are their average; otherwise a move is uniform over its own bracket.
    """
    brackets = _brackets(moves, first, last)
    width_s = brackets.width_s
    mean_s = brackets.middle_s.copy()
    covariance_s2 = np.diag(width_s**2 / 12)
    if moves.held_s is not None:
        alike = _alike_phase(mean_s[:, None] - mean_s, moves.held_s)
        covariance_s2 = np.outer(width_s, width_s) / 12 * (alike + np.eye(len(mean_s))) / 2
    # A short run passes through jittering brackets by chance: only a short trace may use it.
    lengths = FIT_LENGTHS if len(mean_s) >= FIT_LENGTHS[-1] else SHORT_FIT_LENGTHS
    start, shortest = 0, lengths[-1]
    while _may_be_periodic(moves, width_s) and start <= len(mean_s) - shortest:
        stop, fitted = _fit_run(brackets, start, lengths, moves.update_s or 0.0)
        if fitted is not None:
            mean_s[start:stop], covariance_s2[start:stop, start:stop] = fitted
            # How far a move may stray from the line without being noticed.
            run = brackets.run(start, stop)
            sharp = run.sharp(moves.update_s or 0.0)
            unnoticed_s = float(np.median(run.width_s[sharp])) / int(sharp.sum())
            covariance_s2[range(start, stop), range(start, stop)] += unnoticed_s**2
        else:
            stop = len(mean_s) if len(mean_s) - stop < shortest else stop
            _expect_wide(
                brackets.run(start, stop),
                moves.update_s or 0.0,
                mean_s[start:stop],
                covariance_s2[start:stop, start:stop],
            )
        start = stop
    return Instants(mean_s=np.maximum.accumulate(mean_s), covariance_s2=covariance_s2)


def place_moves(moves: Moves, edges_s: Floats) -> Moves:
    """The moves at their likeliest instants, without those whose instants nobody can tell.

    A move that is known far less closely than its like splits the joules on either side of it at a
    guess. Without it they are one interval, whose joules are exact.

    Args:
        moves: of the counter.
        edges_s: shape (n,), rising; only moves near one are placed.
    """
    count = len(moves)
    instant_s, deviation_s = moves.instant_s.copy(), np.zeros(count)
    for first in range(0, count, PLACED_COUNT):
        last = min(first + PLACED_COUNT, count)
        low, high = max(first - MARGIN_COUNT, 0), min(last + MARGIN_COUNT, count)
        between = np.searchsorted(edges_s, [moves.earliest_s[low], moves.latest_s[high - 1]])
        if between[0] == between[1]:
            continue
        found, chosen = locate(moves, low, high), slice(first - low, last - low)
        instant_s[first:last] = found.mean_s[chosen]
        deviation_s[first:last] = np.sqrt(np.diag(found.covariance_s2)[chosen])
    usual_s = float(np.median(deviation_s[deviation_s > 0])) if deviation_s.any() else 0.0
    least_s = UNCLEAR_SHARE * (moves.update_s or math.inf)
    clear = deviation_s <= max(UNCLEAR_TIMES * usual_s, least_s)
    clear[[0, -1]] = True
    return replace(moves, instant_s=np.maximum.accumulate(instant_s)).only(clear)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brackets:
    """A run of moves: bounds of their instants, and when their reads began; shape (n,) each."""

    earliest_s: Floats
    latest_s: Floats
    begun_s: Floats

    def run(self, start: int, stop: int) -> _Brackets:
        own = slice(start, stop)
        return _Brackets(
            earliest_s=self.earliest_s[own], latest_s=self.latest_s[own], begun_s=self.begun_s[own]
        )

    @property
    def width_s(self) -> Floats:
        return self.latest_s - self.earliest_s

    @property
    def middle_s(self) -> Floats:
        return (self.earliest_s + self.latest_s) / 2

    def sharp(self, period_s: float) -> NDArray[np.bool_]:
        narrow: NDArray[np.bool_] = self.width_s <= 0.3 * period_s
        if not narrow.any():
            return narrow
        return narrow & (self.width_s <= 3 * float(np.median(self.width_s[narrow])))


def _brackets(moves: Moves, first: int, last: int) -> _Brackets:
    earliest_s, begun_s = moves.earliest_s[first:last], moves.begun_s[first:last]
    # What is read was shown first within the last period, wherever the read before it was.
    longest_s = moves.held_s or moves.update_s
    if longest_s is not None:
        earliest_s = np.maximum(earliest_s, begun_s - 1.05 * longest_s)
    return _Brackets(earliest_s=earliest_s, latest_s=moves.latest_s[first:last], begun_s=begun_s)


def _alike_phase(apart_s: Floats, held_s: float) -> Floats:
    """Correlation of how old two values are, of a counter that moves every `held_s`.

    Age is a sawtooth of the time: reads a whole number of periods apart show values of one age,
    reads half a period off, such as at the edge of a window, nearly the opposite. The correlation
    of a sawtooth with itself, u of a period apart, is 1 - 6 u (1 - u). The counter's own clock is
    known for a while only.
    """
    phase = apart_s / held_s - np.floor(apart_s / held_s)
    correlation: Floats = np.exp(-np.abs(apart_s) / ALIKE_S) * (1 - 6 * phase * (1 - phase))
    return correlation


def _may_be_periodic(moves: Moves, width_s: Floats) -> bool:
    """Whether enough of the moves were seen far more sharply than the counter moves."""
    if moves.update_s is None or moves.held_s is not None:
        return False
    return bool(np.mean(width_s <= SHARP_SHARE * moves.update_s) >= LEAST_SHARP)


def _fit_run(
    brackets: _Brackets, start: int, lengths: tuple[int, ...], period_s: float
) -> tuple[int, tuple[Floats, Floats] | None]:
    """The longest run from `start` with a line through it: where it stops, and its instants."""
    count = len(brackets.latest_s)
    for length in lengths:
        stop = min(start + length, count)
        if count - stop < lengths[-1]:
            stop = count
        fitted = _fit_line(brackets.run(start, stop), period_s)
        if fitted is not None:
            return stop, fitted
    return start + lengths[-1], None


def _fit_line(brackets: _Brackets, period_s: float) -> tuple[Floats, Floats] | None:
    """Mean and covariance of all lines phase + n x period through the brackets, if any does."""
    numbers = _update_numbers(brackets, period_s)
    if numbers is None:
        return None
    lowest, highest = numbers
    clear = lowest == highest
    order = (lowest + highest) / 2
    known, origin_s = order[clear], float(brackets.latest_s[0])
    low_s, high_s = brackets.earliest_s[clear] - origin_s, brackets.latest_s[clear] - origin_s
    length = known[-1] - known[0]
    slopes = np.linspace(
        (low_s[-1] - high_s[0]) / length, (high_s[-1] - low_s[0]) / length, SLOPE_COUNT
    )
    for _ in range(3):
        lines_s = np.outer(slopes, known)
        bottom_s, top_s = (low_s - lines_s).max(axis=1), (high_s - lines_s).min(axis=1)
        fits = np.flatnonzero(top_s > bottom_s)
        if not len(fits):
            return None
        step = slopes[1] - slopes[0]
        weight, tried_s = np.maximum(top_s - bottom_s, 0.0), slopes
        slopes = np.linspace(slopes[fits[0]] - step, slopes[fits[-1]] + step, SLOPE_COUNT)
    weight /= weight.sum()
    centre_s = (top_s + bottom_s)[:, None] / 2 + np.outer(tried_s, order)
    mean_s = weight @ centre_s
    off_s = centre_s - mean_s
    covariance_s2 = (off_s.T * weight) @ off_s + weight @ (top_s - bottom_s) ** 2 / 12
    covariance_s2 += np.diag(_either(lowest, highest, float(weight @ tried_s)))
    return mean_s + origin_s, covariance_s2


def _either(lowest: Floats, highest: Floats, period_s: float) -> Floats:
    """Variance of an instant that may be that of several updates, each as likely as the others."""
    found: Floats = ((highest - lowest + 1) ** 2 - 1) / 12 * period_s**2
    return found


def _update_numbers(brackets: _Brackets, period_s: float) -> tuple[Floats, Floats] | None:
    """Which update of the counter each move shows: the first and the last that it may be.

    None where that is not clear at all. A bracket as wide as the period may hold several updates.
    What was read is the last one before some instant of the read.
    """
    middle_s, sharp = brackets.middle_s, brackets.sharp(period_s)
    if sharp.sum() < FEWEST_SHARP:
        return None
    numbers = np.concatenate([[0.0], np.cumsum(np.round(np.diff(middle_s[sharp]) / period_s))])
    if numbers[-1] < 1:
        return None
    slope_s, phase_s = np.polyfit(numbers, middle_s[sharp], 1)
    stray_s = float(np.std(middle_s[sharp] - phase_s - slope_s * numbers))
    # An update as close to the read as the line is unsure may be the one that was read.
    unsure_s = 3 * stray_s / math.sqrt(int(sharp.sum()))
    from_s = np.maximum(brackets.begun_s - slope_s, brackets.earliest_s) - unsure_s - phase_s
    highest = np.floor((brackets.latest_s + unsure_s - phase_s) / slope_s)
    lowest = np.minimum(np.ceil(from_s / slope_s), highest)
    lowest[sharp] = highest[sharp] = numbers
    # Another value came after it: that of the next update at the earliest.
    places = np.arange(len(middle_s))
    highest = np.minimum.accumulate((highest - places)[::-1])[::-1] + places
    lowest = np.maximum.accumulate(lowest - places) + places
    return (lowest, highest) if (lowest <= highest).all() else None


def _expect_wide(
    brackets: _Brackets, period_s: float, mean_s: Floats, covariance_s2: Floats
) -> None:
    """Place, in place, the moves whose brackets are wider than the jitter of the others.

    Where updates jitter, no line passes through every bracket, but a fitted one still tells more
    about a move that was seen late than its bracket does.
    """
    numbers = _update_numbers(brackets, period_s)
    if numbers is None:
        return
    lowest, highest = numbers
    sharp, middle_s = brackets.sharp(period_s), brackets.middle_s
    slope_s, phase_s = np.polyfit(lowest[sharp], middle_s[sharp], 1)
    expected_s = phase_s + slope_s * (lowest + highest) / 2
    stray_s = 1.2 * float(np.sqrt(np.mean((middle_s - expected_s)[sharp] ** 2)))
    either_s2 = _either(lowest, highest, float(slope_s))
    earliest_s, latest_s = brackets.earliest_s, brackets.latest_s
    for k in np.flatnonzero(brackets.width_s / np.sqrt(12) > stray_s):
        if earliest_s[k] - 3 * stray_s <= expected_s[k] <= latest_s[k] + 3 * stray_s:
            mean_s[k] = np.clip(expected_s[k], earliest_s[k], latest_s[k])
            covariance_s2[k, k] = stray_s**2 + either_s2[k]
