"""Does the 95 % interval hold the truth in about 95 % of windows of every kind?"""

from __future__ import annotations

import pytest

from profiler.inference import infer_counter
from tests.bench.scenarios import EVERY_KIND, make
from tests.unit.inference.truth import counter_trace


@pytest.mark.parametrize("scenario", EVERY_KIND, ids=lambda scenario: scenario.__name__)
def test_errors_stay_within_the_goals(scenario) -> None:
    load = make(scenario, 11)
    trace = counter_trace(load.script, until_s=load.script.end_s)
    found = infer_counter(trace, [(window,) for window in load.windows], load.windows)
    points_j = [energy.energy_j.point for energy in found if energy.energy_j is not None]
    assert len(points_j) == len(found)
    errors = [abs(p / t - 1) for p, t in zip(points_j, load.truths_j, strict=True)]
    assert sum(errors) / len(errors) < 0.05
    assert sum(points_j) == pytest.approx(sum(load.truths_j), rel=0.007)


def test_the_interval_holds_the_truth_in_95_percent_of_windows() -> None:
    held = count = 0
    for scenario in EVERY_KIND:
        for seed in (1, 2):
            load = make(scenario, seed)
            trace = counter_trace(load.script, until_s=load.script.end_s, seed=seed)
            found = infer_counter(trace, [(window,) for window in load.windows], load.windows)
            for energy, truth_j in zip(found, load.truths_j, strict=True):
                assert energy.bracket_j is not None
                assert energy.bracket_j[0] <= truth_j + 1e-9
                assert truth_j <= energy.bracket_j[1] + 1e-9
                assert energy.energy_j is not None
                held += (energy.energy_j.low or 0) <= truth_j <= (energy.energy_j.high or 0)
                count += 1
    assert count > 300
    assert held / count >= 0.92
