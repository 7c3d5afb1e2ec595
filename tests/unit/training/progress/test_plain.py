from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from profiler.values.estimate import Basis
from tests.unit.training.progress.watched import FOLDER, RECIPE, estimate, point, progress, show_run
from training.progress.plain import PlainView
from training.progress.view import Progress
from training.progress.words import cost_facts, percent, with_basis


def test_an_epoch_is_one_line_on_stderr_with_everything_in_it(capsys):
    view = PlainView()
    view.begin(RECIPE, folder=FOLDER, description="digits, cpu")
    view.epoch(progress(2, Basis.ASSUMED))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "lightweight on digits, cpu",
        "4 epochs, kept in trainings/one",
        "epoch 2/4: loss 0.5, accuracy 91.2 % (validation), 3,610 images/s, 50.0 W (assumed), "
        "200 J so far, 20.0 mg CO2e (quoted), 4 s and 200 J (estimated) left",
    ]


def test_a_run_that_goes_on_says_after_which_epoch(capsys):
    PlainView().begin(RECIPE, folder=FOLDER, description="digits", done_epochs=3)
    assert "4 epochs after 3, kept in trainings/one" in capsys.readouterr().err


def test_what_was_not_seen_is_said_and_never_zero(capsys):
    PlainView().epoch(Progress(point=point(1, epoch_j=None)))
    err = capsys.readouterr().err
    assert "joules not seen" in err
    assert "0 J" not in err
    assert "left" not in err


def test_accuracy_on_the_training_images_is_called_that(capsys):
    learnt = replace(point(1), validation_accuracy=None, images_per_s=None)
    PlainView().epoch(Progress(point=learnt))
    err = capsys.readouterr().err
    assert "accuracy 80 % (train)" in err
    assert "images/s" not in err


@pytest.mark.parametrize("basis", [Basis.COUNTED, Basis.MEASURED])
def test_what_was_measured_needs_no_word_for_it(basis):
    assert with_basis(estimate(12.3, "J", basis)) == "12.3 J"


@pytest.mark.parametrize("basis", [Basis.ESTIMATED, Basis.ASSUMED, Basis.QUOTED])
def test_what_nobody_measured_says_so(basis):
    assert with_basis(estimate(12.3, "J", basis)) == f"12.3 J ({basis})"
    assert f"({basis})" in cost_facts(estimate(50.0, "W", basis), None, None)[0]


@pytest.mark.parametrize(("share", "text"), [(0.912, "91.2 %"), (1.0, "100 %"), (0.0, "0 %")])
def test_a_share_is_told_as_percent(share, text):
    assert percent(share) == text


def test_a_name_cannot_move_the_cursor(capsys):
    show_run(PlainView(), model="bad\x1b[2J\r\nname")
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\r" not in err


class Gone(io.StringIO):
    """A log file on a disk that is full."""

    tried = False

    def write(self, text: str) -> int:
        self.tried = True
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("closed", [False, True])
def test_a_log_that_cannot_be_written_does_not_end_a_training(monkeypatch, closed):
    log = Gone()
    if closed:
        log.close()
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(sys, "stderr", log)
    show_run(PlainView())
    assert log.tried
