"""When an energy counter moved: sharper instants than the polling brackets, where they allow it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .moves import FEWEST_SHARP, SHARP_SHARE, Floats, Moves

FIT_LENGTHS = (512, 128, 32)
SHORT_FIT_LENGTHS = (16,)
LEAST_SHARP = 0.1
SLOPE_COUNT = 97
ALIKE_S = 0.15


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
    earliest_s = moves.earliest_s[first:last]
    latest_s = moves.latest_s[first:last]
    # What is read was shown first within the last period, wherever the read before it was.
    longest_s = moves.held_s or moves.update_s
    if longest_s is not None:
        earliest_s = np.maximum(earliest_s, latest_s - 1.05 * longest_s)
    width_s = latest_s - earliest_s
    mean_s = (earliest_s + latest_s) / 2
    covariance_s2 = np.diag(width_s**2 / 12)
    if moves.held_s is not None:
        alike = _alike_phase(mean_s[:, None] - mean_s, moves.held_s)
        covariance_s2 = np.outer(width_s, width_s) / 12 * (alike + np.eye(len(mean_s))) / 2
    # A short run passes through jittering brackets by chance: only a short trace may use it.
    lengths = FIT_LENGTHS if len(mean_s) >= FIT_LENGTHS[-1] else SHORT_FIT_LENGTHS
    start, shortest = 0, lengths[-1]
    while _may_be_periodic(moves, width_s) and start <= len(mean_s) - shortest:
        stop, fitted = _fit_run(earliest_s, latest_s, start, lengths, moves.update_s or 0.0)
        if fitted is not None:
            mean_s[start:stop], covariance_s2[start:stop, start:stop] = fitted
            # How far a move may stray from the line without being noticed.
            sharp = _sharp(earliest_s[start:stop], latest_s[start:stop], moves.update_s or 0.0)
            unnoticed_s = float(np.median(width_s[start:stop][sharp])) / int(sharp.sum())
            covariance_s2[range(start, stop), range(start, stop)] += unnoticed_s**2
        else:
            stop = len(mean_s) if len(mean_s) - stop < shortest else stop
            run = slice(start, stop)
            _expect_wide(
                earliest_s[run],
                latest_s[run],
                moves.update_s or 0.0,
                mean_s[run],
                covariance_s2[run, run],
            )
        start = stop
    return Instants(mean_s=np.maximum.accumulate(mean_s), covariance_s2=covariance_s2)


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
    earliest_s: Floats,
    latest_s: Floats,
    start: int,
    lengths: tuple[int, ...],
    period_s: float,
) -> tuple[int, tuple[Floats, Floats] | None]:
    """The longest run from `start` with a line through it: where it stops, and its instants."""
    for length in lengths:
        stop = min(start + length, len(earliest_s))
        if len(earliest_s) - stop < lengths[-1]:
            stop = len(earliest_s)
        fitted = _fit_line(earliest_s[start:stop], latest_s[start:stop], period_s)
        if fitted is not None:
            return stop, fitted
    return start + lengths[-1], None


def _fit_line(
    earliest_s: Floats, latest_s: Floats, period_s: float
) -> tuple[Floats, Floats] | None:
    """Mean and covariance of all lines phase + n x period through the brackets, if any does."""
    order = _update_numbers(earliest_s, latest_s, period_s)
    if order is None:
        return None
    origin_s = float(latest_s[0])
    low_s, high_s = earliest_s - origin_s, latest_s - origin_s
    slopes = np.linspace(
        (low_s[-1] - high_s[0]) / order[-1], (high_s[-1] - low_s[0]) / order[-1], SLOPE_COUNT
    )
    for _ in range(3):
        lines_s = np.outer(slopes, order)
        bottom_s, top_s = (low_s - lines_s).max(axis=1), (high_s - lines_s).min(axis=1)
        fits = np.flatnonzero(top_s > bottom_s)
        if not len(fits):
            return None
        step = slopes[1] - slopes[0]
        weight = np.maximum(top_s - bottom_s, 0.0)
        slopes = np.linspace(slopes[fits[0]] - step, slopes[fits[-1]] + step, SLOPE_COUNT)
    weight /= weight.sum()
    centre_s = (top_s + bottom_s)[:, None] / 2 + lines_s
    mean_s = weight @ centre_s
    off_s = centre_s - mean_s
    covariance_s2 = (off_s.T * weight) @ off_s + weight @ (top_s - bottom_s) ** 2 / 12
    return mean_s + origin_s, covariance_s2


def _update_numbers(earliest_s: Floats, latest_s: Floats, period_s: float) -> Floats | None:
    """Which update of the counter each move shows, from 0 on; None where that is not clear.

    A bracket as wide as the period may hold several updates. What was read at its end is the last
    one before it.
    """
    middle_s = (earliest_s + latest_s) / 2
    sharp = _sharp(earliest_s, latest_s, period_s)
    if sharp.sum() < FEWEST_SHARP:
        return None
    numbers = np.concatenate([[0.0], np.cumsum(np.round(np.diff(middle_s[sharp]) / period_s))])
    if numbers[-1] < 1:
        return None
    slope_s, phase_s = np.polyfit(numbers, middle_s[sharp], 1)
    stray_s = float(np.std(middle_s[sharp] - phase_s - slope_s * numbers))
    # An update as close before the read as the line is unsure may be the one that was read.
    unsure_s = 3 * stray_s / math.sqrt(int(sharp.sum()))
    order = np.floor((latest_s - phase_s + unsure_s) / slope_s)
    order[sharp] = numbers
    # Another value came after it: that of the next update at the earliest.
    places = np.arange(len(order))
    order = np.minimum.accumulate((order - places)[::-1])[::-1] + places
    order -= order[0]
    return order if order[-1] >= 1 and (np.diff(order) >= 1).all() else None


def _sharp(earliest_s: Floats, latest_s: Floats, period_s: float) -> NDArray[np.bool_]:
    width_s = latest_s - earliest_s
    narrow: NDArray[np.bool_] = width_s <= 0.3 * period_s
    if not narrow.any():
        return narrow
    return narrow & (width_s <= 3 * float(np.median(width_s[narrow])))


def _expect_wide(
    earliest_s: Floats, latest_s: Floats, period_s: float, mean_s: Floats, covariance_s2: Floats
) -> None:
    """Place, in place, the moves whose brackets are wider than the jitter of the others.

    Where updates jitter, no line passes through every bracket, but a fitted one still tells more
    about a move that was seen late than its bracket does.
    """
    numbers = _update_numbers(earliest_s, latest_s, period_s)
    if numbers is None:
        return
    width_s = latest_s - earliest_s
    sharp = _sharp(earliest_s, latest_s, period_s)
    middle_s = (earliest_s + latest_s) / 2
    slope_s, phase_s = np.polyfit(numbers[sharp], middle_s[sharp], 1)
    expected_s = phase_s + slope_s * numbers
    stray_s = 1.2 * float(np.sqrt(np.mean((middle_s - expected_s)[sharp] ** 2)))
    for k in np.flatnonzero(width_s / np.sqrt(12) > stray_s):
        if earliest_s[k] - 3 * stray_s <= expected_s[k] <= latest_s[k] + 3 * stray_s:
            mean_s[k] = np.clip(expected_s[k], earliest_s[k], latest_s[k])
            covariance_s2[k, k] = stray_s**2
