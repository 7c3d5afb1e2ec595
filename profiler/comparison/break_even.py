"""After how many inferences the joules spent on a variant are saved again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from profiler.values.estimate import Estimate, weakest


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """What a variant cost, what it saves, and when the one has paid for the other.

    Args:
        spent_j: joules of distilling, fine-tuning or training it.
        saved_j: joules that one inference of it takes less than one of its base; negative where it
            takes more.
        inference_count: spent over saved. Its upper end is infinite where the saving may be none.
            None where the best value of the saving is none.
    """

    spent_j: Estimate
    saved_j: Estimate
    inference_count: Estimate | None


def break_even(spent_j: Estimate, base_j: Estimate, ratio: Estimate) -> BreakEven:
    """Set the joules of making a variant against those that it saves.

    Saved is base x (1 - ratio), where the ratio was measured in turns or allows for what differs
    from run to run: a difference of two separate joules would not. The ends of spent / saved are
    those of its parts, both taken at their worst, so that the interval is not narrower than they.

    Args:
        spent_j: joules of making the variant.
        base_j: joules of an inference of what it replaces.
        ratio: joules of an inference of the variant / those of its base.
    """
    saved_j = _saved(base_j, ratio)
    if saved_j.point <= 0:
        return BreakEven(spent_j=spent_j, saved_j=saved_j, inference_count=None)
    low: float | None = None
    high: float | None = None
    spent, saved = (spent_j.low, spent_j.high), (saved_j.low, saved_j.high)
    if spent[0] is not None and spent[1] is not None and saved[0] is not None and saved[1]:
        low = spent[0] / saved[1]
        high = spent[1] / saved[0] if saved[0] > 0 else math.inf
    count = Estimate(
        point=spent_j.point / saved_j.point,
        low=low,
        high=high,
        unit="inference",
        confidence=None if low is None else _confidence(spent_j, saved_j),
        basis=weakest((spent_j.basis, saved_j.basis)),
        source=f"({spent_j.source}) / ({saved_j.source})",
        estimated_share=max(spent_j.estimated_share, saved_j.estimated_share),
    )
    return BreakEven(spent_j=spent_j, saved_j=saved_j, inference_count=count)


def _saved(base_j: Estimate, ratio: Estimate) -> Estimate:
    """Base x (1 - ratio), with the interval of the ratio and that of the base."""
    point = base_j.point * (1 - ratio.point)
    saved = replace(
        base_j,
        point=point,
        low=None,
        high=None,
        confidence=None,
        basis=weakest((base_j.basis, ratio.basis)),
        source=f"{base_j.source}, base less variant",
        estimated_share=max(base_j.estimated_share, ratio.estimated_share),
    )
    if ratio.low is None or ratio.high is None or base_j.low is None or base_j.high is None:
        return saved
    ends = [
        joules * (1 - share)
        for joules in (base_j.low, base_j.high)
        for share in (ratio.low, ratio.high)
    ]
    return replace(saved, low=min(ends), high=max(ends), confidence=_confidence(base_j, ratio))


def _confidence(first: Estimate, second: Estimate) -> float | None:
    known = [each.confidence for each in (first, second) if each.confidence is not None]
    return min(known, default=None)
