"""What those who read the same windows made of them."""

from __future__ import annotations

from dataclasses import dataclass

from profiler.values.codecarbon import CodeCarbonOpinion
from profiler.values.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalRow:
    """What one of them made of a scenario.

    Args:
        scenario: which windows.
        method: who read them.
        energies_j: of each window.
        sum_j: of all; None where a window was not seen.
        ratio: of the sum to the reference.
    """

    scenario: str
    method: str
    energies_j: tuple[Estimate | None, ...]
    sum_j: Estimate | None
    ratio: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalReport:
    """All of it.

    Args:
        device_name: of what was loaded, by its vendor.
        load: what it did.
        references_j: by scenario, the counter's own difference over all of it less its idle gaps.
        rows: one a scenario and method.
        codecarbon: its tracker beside ours over the whole; None where it was lost.
        left_out: who could not take part, and why.
    """

    device_name: str
    load: str
    references_j: dict[str, Estimate]
    rows: tuple[RivalRow, ...]
    codecarbon: CodeCarbonOpinion | None
    left_out: dict[str, str]
