"""From the interval of a ratio to a word, never against that interval."""

from __future__ import annotations

from typing import Literal

from profiler.values.estimate import Estimate

LESS: Literal["less"] = "less"
MORE: Literal["more"] = "more"
EQUAL: Literal["equal"] = "equal"
NO_DIFFERENCE: Literal["no detectable difference"] = "no detectable difference"
WITHIN_1: Literal["equal within 1 %"] = "equal within 1 %"
WITHIN_2: Literal["equal within 2 %"] = "equal within 2 %"
WITHIN_5: Literal["equal within 5 %"] = "equal within 5 %"
Verdict = Literal[
    "less",
    "more",
    "equal",
    "equal within 1 %",
    "equal within 2 %",
    "equal within 5 %",
    "no detectable difference",
]

SMALLEST_DIFFERENCE = 0.01
"""A difference below this share is of no account even where it is significant."""

_MARGINS: tuple[tuple[float, Verdict], ...] = (
    (0.01, WITHIN_1),
    (0.02, WITHIN_2),
    (0.05, WITHIN_5),
)


def verdict_of(ratio: Estimate | None) -> Verdict | None:
    """What a ratio of other / base says of other.

    Less or more where the whole interval lies beyond SMALLEST_DIFFERENCE. Equal within a margin
    where the whole interval lies inside it: two one-sided tests (Schuirmann, Journal of
    Pharmacokinetics and Biopharmaceutics 15, 1987, p. 657), by the 95 % interval that is shown,
    which is stricter than the 90 % that a test at 5 % needs. What is exact is equal, less or more.
    None where no interval is stated.
    """
    if ratio is None or ratio.low is None or ratio.high is None:
        return None
    if ratio.low == ratio.high:
        return EQUAL if ratio.point == 1 else LESS if ratio.point < 1 else MORE
    if ratio.high < 1 - SMALLEST_DIFFERENCE:
        return LESS
    if ratio.low > 1 + SMALLEST_DIFFERENCE:
        return MORE
    for margin, word in _MARGINS:
        if 1 / (1 + margin) <= ratio.low and ratio.high <= 1 + margin:
            return word
    return NO_DIFFERENCE
