"""The Pareto front: what no other beats in both of two figures."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Places of the points that no other dominates, by falling cost.

    Args:
        points: (cost, worth) each; less cost and more worth are better. A point dominates another
            that is worse in one of the two and not better in the other. Equal points stay together.

    Returns:
        Indices into `points`.
    """
    front = [
        index
        for index, (cost, worth) in enumerate(points)
        if not any(
            other_cost <= cost
            and other_worth >= worth
            and (other_cost, other_worth) != (cost, worth)
            for other_cost, other_worth in points
        )
    ]
    return tuple(sorted(front, key=lambda index: points[index], reverse=True))
