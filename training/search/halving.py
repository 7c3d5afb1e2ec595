"""Successive halving: which networks are worth a longer training. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from .front import meeting, nearest, ranked
from .plan import SearchPlan
from .trials import Trial


def survivors(trials: Sequence[Trial], plan: SearchPlan, round_number: int) -> list[Trial]:
    """The better half of those that finished the round before, judged as they stood then.

    Those that meet the constraints come first, front after front; then the others, those that miss
    them by the least first. A network is judged once, however often it was proposed.
    """
    then = [
        replace(trial, accuracies=trial.accuracies[:round_number])
        for trial in {trial.reference: trial for trial in reversed(trials)}.values()
        if trial.rounds >= round_number and trial.error is None
    ]
    for earlier in range(1, round_number):
        chosen = {trial.number for trial in survivors(trials, plan, earlier)}
        then = [trial for trial in then if trial.number in chosen]
    good = ranked(meeting(then, plan.constraints), plan.objectives)
    while (left := [trial for trial in then if trial not in good]) and plan.constraints:
        closest = nearest(left, plan.constraints)
        if closest is None:
            break
        good.append(closest)
    numbers = [trial.number for trial in good[: math.ceil(len(good) / 2)]]
    by_number = {trial.number: trial for trial in trials}
    return [by_number[number] for number in numbers]
