"""The gate of continuous integration: is this run worse than that one by more than allowed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from profiler.values.units import show

from .verdicts import Comparison, Ratio

GateVerdict = Literal["pass", "regression", "inconclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the gate says about one comparison.

    Args:
        metric: key of the quantity that was judged.
        tolerance: share by which it may be worse.
        outcome: inconclusive where the interval holds the limit, or the two runs are not alike.
        reason: one sentence with the numbers.
    """

    metric: str
    tolerance: float
    outcome: GateVerdict
    reason: str


def judge(comparison: Comparison, metric: str, tolerance: float) -> Gate:
    """Decide whether `other` is worse than `base` by more than `tolerance`.

    Args:
        comparison: of the two runs.
        metric: a key of `profiler.quantities`.
        tolerance: 0.05 for 5 %.
    """
    row = comparison.of(metric)
    outcome, reason = _decide(comparison, row, metric, tolerance)
    return Gate(metric=metric, tolerance=tolerance, outcome=outcome, reason=reason)


def _decide(
    comparison: Comparison, row: Ratio | None, metric: str, tolerance: float
) -> tuple[GateVerdict, str]:
    if row is None:
        return "inconclusive", f"{metric} was not seen in both runs"
    if row.ratio is None and comparison.is_contended:
        return "inconclusive", (
            f"other work took the CPUs while {row.label} was measured: stop it and measure again"
        )
    if row.ratio is None or row.ratio.low is None or row.ratio.high is None:
        return "inconclusive", f"no interval is known for {row.label}"
    if not comparison.same_environment:
        return "inconclusive", (
            f"{row.label} is {show(row.ratio)}, but the runs come from different hardware, drivers "
            "or software"
        )
    allowed = f"{100 * tolerance:g} %"
    is_better_low = row.lower_is_better is not False
    limit = 1 + tolerance if is_better_low else 1 - tolerance
    low, high = (
        (row.ratio.low, row.ratio.high) if is_better_low else (-row.ratio.high, -row.ratio.low)
    )
    signed = limit if is_better_low else -limit
    text = f"{row.label} is {show(row.ratio)} the base"
    if low > signed:
        return "regression", f"{text}: worse by more than the {allowed} allowed"
    if high <= signed:
        return "pass", f"{text}: within the {allowed} allowed"
    return "inconclusive", f"{text}: the interval holds the limit of {limit:.4g}x"
