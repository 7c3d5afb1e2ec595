from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.values.estimate import Basis, Estimate
from training.experiments.seeds import FinishedRun, mean_over_runs, summarize


def joules(value: float, half: float | None = 0.0, basis: Basis = Basis.MEASURED) -> Estimate:
    return Estimate(
        point=value,
        low=None if half is None else value - half,
        high=None if half is None else value + half,
        unit="J",
        confidence=None if half is None else 0.95,
        basis=basis,
        source="RAPL",
    )


def run(seed: int, accuracy: float | None = 0.9, **changes: object) -> FinishedRun:
    share = None
    if accuracy is not None:
        share = Estimate(
            point=accuracy, low=accuracy, high=accuracy, unit="", confidence=0.95,
            basis=Basis.MEASURED, source="digits, 360 images",
        )  # fmt: skip
    values = {
        "folder": f"lightweight-seed{seed}", "model": "lightweight", "seed": seed,
        "stopped_by": "epochs", "epochs_done": 5, "accuracy": share, "energy_j": joules(100.0),
        "images_per_joule": joules(60.0), "duration_s": 10.0, "device_name": "a CPU",
    }  # fmt: skip
    return FinishedRun(**{**values, **changes})


def test_the_mean_of_runs_has_students_interval():
    # t(0.975, 2) = 4.302653, s = 10, n = 3.
    mean = mean_over_runs([joules(90.0), joules(100.0), joules(110.0)])
    assert mean.point == pytest.approx(100.0)
    assert mean.half_width == pytest.approx(4.302653 * 10 / 3**0.5, rel=1e-6)
    assert mean.confidence == 0.95


def test_what_the_sensor_leaves_open_is_not_averaged_away():
    alike = mean_over_runs([joules(100.0, half=5.0)] * 100)
    assert alike.half_width == pytest.approx(5.0)


def test_one_run_keeps_its_own_interval():
    assert mean_over_runs([joules(100.0, half=5.0)]) == joules(100.0, half=5.0)


def test_a_run_that_no_sensor_saw_leaves_no_mean():
    assert mean_over_runs([joules(100.0), None]) is None
    assert mean_over_runs([]) is None


@given(st.lists(st.sampled_from(list(Basis)), min_size=1, max_size=4))
def test_the_basis_of_a_mean_is_the_weakest_of_its_runs(bases):
    mean = mean_over_runs([joules(100.0, basis=basis) for basis in bases])
    assert mean.basis.weakness == max(basis.weakness for basis in bases)


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=6))
def test_a_mean_lies_among_its_runs_and_in_its_interval(values):
    mean = mean_over_runs([joules(value) for value in values])
    slack = 1e-9 * max(values)
    assert min(values) - slack <= mean.point <= max(values) + slack
    assert mean.low - slack <= mean.point <= mean.high + slack
    assert mean.low >= 0


def test_a_models_result_is_over_its_seeds():
    result = summarize("lightweight", [run(0, 0.90), run(1, 0.92)])
    assert result.run_count == 2
    assert result.accuracy.point == pytest.approx(0.91)
    assert result.accuracy.low < 0.90 < 0.92 < result.accuracy.high
    assert result.accuracy.basis is Basis.MEASURED
    assert "2 seeds" in result.accuracy.source
    assert (result.energy_j.point, result.duration_s.point) == (100.0, 10.0)


def test_one_seed_has_no_interval_over_seeds():
    result = summarize("lightweight", [run(0)])
    assert (result.accuracy.low, result.accuracy.high) == (None, None)
    assert "1 seed" in result.accuracy.source


def test_without_a_test_split_there_is_no_accuracy():
    assert summarize("lightweight", [run(0), run(1, None)]).accuracy is None


def test_a_model_without_finished_runs_has_no_numbers():
    result = summarize("lightweight", [])
    assert (result.run_count, result.accuracy, result.energy_j, result.duration_s) == (
        0, None, None, None,
    )  # fmt: skip


def test_epochs_that_a_target_cut_short_are_told_as_a_range():
    runs = [run(0, epochs_done=7), run(1, epochs_done=5), run(2, epochs_done=6)]
    assert summarize("lightweight", runs).epochs_done == (5, 7)
    assert summarize("lightweight", runs[:1]).epochs_done == (7,)
