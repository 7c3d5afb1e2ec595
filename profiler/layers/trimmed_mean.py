"""From rounds to seconds with intervals that add up: the same runs speak for rows and whole.

A median of every row would not add up to the median of the whole, because a disturbance hits one
row at a time. So each run with stamps is paired with one without from the same round, pairs are
ranked by their total, and everything is a mean over the same half of them: the quicker one, as what
else runs on a machine only ever adds time, without the very quickest. Intervals come from drawing
stretches of neighbouring rounds anew and doing all of it again (moving-block bootstrap: Kuensch,
Annals of Statistics 17, 1989, p. 1217), widened by Student's t for the few there may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from profiler.values.statistics import t_quantile

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Whole = np.ndarray[tuple[int], np.dtype[np.intp]]

DRAW_COUNT = 300
KEPT_FROM, KEPT_TO = 0.05, 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Seconds of one call, with the half widths of 95 % intervals (infinite for a single round).

    Args:
        whole_s, whole_half_s: of the model without stamps.
        own_s: shape (calls,), of each call of a module.
        rows_s, rows_half_s: shape (positions,), of each module, over all its calls.
        shares_half: shape (positions,), of each row's share of their sum: what makes all rows
            slower alike, such as a CPU's clock, cancels in it.
        closure, closure_half: sum of the rows over the whole.
        freedom: degrees of freedom of the half widths; 0 where these are infinite.
    """

    whole_s: float
    whole_half_s: float
    own_s: Floats
    rows_s: Floats
    rows_half_s: Floats
    shares_half: Floats
    closure: float
    closure_half: float
    freedom: float

    @property
    def shares(self) -> Floats:
        """Of each row in the sum of the rows, shape (positions,)."""
        return np.asarray(self.rows_s / max(float(self.rows_s.sum()), 1e-300))

    def precise(self, precision: float, small_share: float) -> bool:
        """Whether all rows are within `precision`; small ones of that share of the whole."""
        scale_s = np.maximum(self.rows_s, small_share * self.whole_s)
        rows = bool((self.rows_half_s <= precision * scale_s).all())
        return rows and self.whole_half_s <= precision * self.whole_s


def summarize(
    whole_s: Sequence[Floats], own_s: Sequence[Floats], row_of: Whole, seed: int
) -> Summary:
    """Means over the kept pairs and their intervals.

    Args:
        whole_s: a round each, shape (pairs,).
        own_s: a round each, shape (pairs, calls).
        row_of: shape (calls,), the row that a call is added to.
        seed: of the draws.
    """
    own = np.concatenate(own_s)
    rows = own @ np.eye(int(row_of.max()) + 1)[row_of]
    columns = np.column_stack([np.concatenate(whole_s), rows])
    keep = _kept(columns.sum(axis=1))
    point = keep @ columns
    freedom = _freedom(len(whole_s))
    half, shares_half = _half_widths(columns, np.array([len(part) for part in whole_s]), seed)
    return Summary(
        whole_s=float(point[0]),
        whole_half_s=float(half[0]),
        own_s=keep @ own,
        rows_s=point[1:],
        rows_half_s=half[1:-1],
        shares_half=shares_half,
        closure=float(point[1:].sum() / point[0]),
        closure_half=float(half[-1]),
        freedom=freedom,
    )


def _kept(totals: Floats) -> Floats:
    """Weights of the pairs: the same for those that are kept, 0 for the others."""
    count = len(totals)
    first, last = int(KEPT_FROM * count), max(1, round(KEPT_TO * count))
    weights = np.zeros(count)
    weights[np.argsort(totals, kind="stable")[first:last]] = 1 / (last - first)
    return weights


def _stretch_length(round_count: int) -> int:
    cube_root: float = round_count ** (1 / 3)
    return max(1, round(cube_root))


def _freedom(round_count: int) -> float:
    """One less than the stretches that do not overlap; 0 for a single round."""
    return max(round_count / _stretch_length(round_count), 2.0) - 1 if round_count > 1 else 0.0


def _half_widths(columns: Floats, sizes: Whole, seed: int) -> tuple[Floats, Floats]:
    """Of every column's mean and last of the closure, and of the rows' shares of their sum.

    Infinite for a single round.
    """
    round_count = len(sizes)
    if round_count < 2:
        return np.full(columns.shape[1] + 1, np.inf), np.full(columns.shape[1] - 1, np.inf)
    generator = np.random.default_rng(seed)
    ends = np.cumsum(sizes)
    members = [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    totals = columns.sum(axis=1)
    length = _stretch_length(round_count)
    stretch_count = -(-round_count // length)
    weights = np.zeros((DRAW_COUNT, len(columns)))
    for draw in range(DRAW_COUNT):
        starts = generator.integers(0, round_count, stretch_count)
        drawn = ((starts[:, None] + np.arange(length)) % round_count).ravel()[:round_count]
        chosen = np.concatenate([members[number] for number in drawn])
        np.add.at(weights[draw], chosen, _kept(totals[chosen]))
    means = weights @ columns
    sums = means[:, 1:].sum(axis=1)
    shares = means[:, 1:] / sums[:, None]
    deviation = np.column_stack([means, sums / means[:, 0], shares]).std(axis=0, ddof=1)
    freedom = _freedom(round_count)
    factor = t_quantile(0.975, freedom) * np.sqrt((freedom + 1) / freedom)
    half = np.asarray(deviation * factor)
    return half[: columns.shape[1] + 1], half[columns.shape[1] + 1 :]
