"""Which stretch of time between two stamps belongs to which call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profiler.errors import MeasurementError

from .stamps import StampCost
from .survey import Survey
from .trimmed_mean import Floats

Whole = np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """The stretches of one call of the model, n calls of modules, 2 n stamps.

    Args:
        owners: shape (2 n - 1,), ordinal of the call that runs between two stamps: the one that was
            entered last and not left.
        inside_half_count: shape (n,), stamps whose inner cost falls on the call.
        outside_half_count: shape (n,), stamps whose outer cost does.
        row_of: shape (n,), position of the module that is called.
    """

    owners: Whole
    inside_half_count: Floats
    outside_half_count: Floats
    row_of: Whole

    def own_seconds(self, spans_s: Floats, cost: StampCost) -> Floats:
        """Seconds of each call without its children and without the stamps' cost.

        Args:
            spans_s: shape (runs, 2 n - 1), the stretches of some calls of the model.
            cost: of the stamps.

        Returns:
            Shape (runs, n).
        """
        own_s = np.zeros((len(spans_s), len(self.row_of)))
        np.add.at(own_s.T, self.owners, spans_s.T)
        cost_s = self.inside_half_count * cost.inside_s + self.outside_half_count * cost.outside_s
        return own_s - cost_s / 2

    @staticmethod
    def changes_from_call_to_call() -> MeasurementError:
        """No two calls of the model ran the same modules."""
        return MeasurementError(
            "the model calls other modules at every call, so that no layer can be timed",
            hint="give inputs and a seed for which its control flow is always the same",
        )


def structure_of(survey: Survey) -> Structure:
    """Read the structure off the events of the survey."""
    count = len(survey.calls)
    owners: list[int] = []
    stack: list[int] = []
    for event in survey.events[:-1]:
        if event >= 0:
            stack.append(event)
        else:
            stack.pop()
        owners.append(stack[-1])
    inside, outside = np.full(count, 2.0), np.zeros(count)
    for call in survey.calls:
        if call.parent is not None:
            outside[call.parent] += 2.0
    return Structure(
        owners=np.array(owners, dtype=np.intp),
        inside_half_count=inside,
        outside_half_count=outside,
        row_of=np.array([call.position for call in survey.calls], dtype=np.intp),
    )
