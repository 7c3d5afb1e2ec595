from __future__ import annotations

import subprocess
import sys

import pytest

from profiler.values.estimate import Basis
from tests.unit.training.progress.watched import point, show_run
from training.progress import choose_view
from training.progress.plain import PlainView
from training.progress.view import SILENT, project


def test_what_is_left_costs_what_the_last_epochs_did():
    left_s, left_j = project([point(epoch) for epoch in (1, 2, 3)], epochs=10)
    assert left_s == pytest.approx(7 * 2.0)
    assert left_j.point == pytest.approx(7 * 100.0)


def test_a_projection_of_measured_joules_is_an_estimate_without_interval():
    _, left_j = project([point(1), point(2)], epochs=3)
    assert left_j.basis is Basis.ESTIMATED
    assert (left_j.low, left_j.high) == (None, None)


def test_what_is_paid_once_in_the_first_epoch_is_not_projected():
    late = [point(1, epoch_s=100.0), point(2, epoch_s=51.0), point(3, epoch_s=34 + 2 / 3)]
    left_s, _ = project(late, epochs=4)
    assert left_s == pytest.approx(2.0)


def test_only_the_last_ten_epochs_say_how_it_goes_on():
    slow = [point(epoch, epoch_s=1.0) for epoch in range(1, 11)]
    fast = [point(epoch, epoch_s=1.0) for epoch in range(11, 21)]
    assert project(slow + fast, epochs=21)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("curve", [[], [point(1)]])
def test_one_epoch_tells_nothing_of_those_to_come(curve):
    assert project(curve, epochs=5) == (None, None)


def test_joules_that_no_sensor_saw_are_not_projected_and_seconds_are():
    left_s, left_j = project([point(1, epoch_j=None), point(2, epoch_j=None)], epochs=3)
    assert left_s == pytest.approx(2.0)
    assert left_j is None


def test_after_the_last_epoch_nothing_is_left():
    left_s, left_j = project([point(1), point(2)], epochs=2)
    assert (left_s, left_j.point) == (0.0, 0.0)


def test_nobody_is_told_nothing(capfd):
    show_run(SILENT)
    assert capfd.readouterr() == ("", "")


def test_quiet_is_silence_and_a_pipe_gets_plain_lines(capsys):
    assert choose_view(quiet=True) is SILENT
    assert isinstance(choose_view(), PlainView)


@pytest.mark.parametrize(
    "module", ["training.progress.view", "training.progress", "training.progress.plain"]
)
def test_a_view_that_draws_nothing_loads_neither_torch_nor_rich(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'numpy', 'rich'}} & set(sys.modules)))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
