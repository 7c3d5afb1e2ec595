from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import UsageError
from tests.unit.training.progress.watched import FOLDER, RECIPE, StandingGauge, progress, show_run
from training.progress.logs import LOGS, LoggedView, with_logs
from training.progress.plain import PlainView
from training.progress.tensorboard import TensorBoardLog, open_log
from training.progress.view import SILENT

# TensorBoard's reader and its protocol buffers.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return found


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, pytest.approx(event.value)) for event in events(folder).Scalars(tag)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / FOLDER


def train(*, first: int, last: int, done_steps: int) -> None:
    from torch.utils.tensorboard import SummaryWriter

    log = TensorBoardLog(SummaryWriter, now_s=lambda: 0.0)
    log.begin(
        RECIPE, folder=FOLDER, description="digits, cpu", gauge=StandingGauge(), epoch_steps=10,
        done_epochs=first - 1, done_steps=done_steps,
    )  # fmt: skip
    for epoch in range(first, last + 1):
        log.loss(10 * epoch - 5, 1 / epoch)
        log.step(epoch, 1.0)
        log.epoch(progress(epoch))
    log.close()


def test_event_files_hold_losses_accuracy_joules_and_power_by_step(here: Path) -> None:
    train(first=1, last=2, done_steps=0)
    assert scalars(here, "step/loss") == [(5, 1.0), (15, 0.5)]
    assert scalars(here, "epoch/loss") == [(10, 1.0), (20, 0.5)]
    assert scalars(here, "epoch/validation_accuracy") == [(10, 0.912), (20, 0.912)]
    assert scalars(here, "energy_j") == [(10, 100.0), (20, 200.0)]
    assert scalars(here, "energy_j/low") == [(10, 98.0), (20, 196.0)]
    assert scalars(here, "power_w/high") == [(10, 51.0), (20, 51.0)]
    told = events(here).Tensors("energy_j/source/text_summary")
    assert [list(event.tensor_proto.string_val) for event in told] == [[b"measured: test"]]


def test_what_a_killed_segment_did_twice_is_there_once(here: Path) -> None:
    train(first=1, last=3, done_steps=0)
    train(first=3, last=4, done_steps=20)
    assert [step for step, _ in scalars(here, "epoch/loss")] == [10, 20, 30, 40]


def test_joules_and_watts_are_read_at_most_once_a_second(here: Path) -> None:
    read: list[str] = []

    class Writer:
        def __getattr__(self, name: str) -> Any:
            return lambda tag="", *_: read.append(tag)

    now_s = iter(range(0, 1000))
    log = TensorBoardLog(lambda *_, **__: Writer(), lambda: next(now_s) / 10)
    log.begin(RECIPE, folder=FOLDER, description="", gauge=StandingGauge(), epoch_steps=100)
    for step in range(100):
        log.step(1, step / 100)
    assert 5 <= read.count("energy_j") <= 12


def test_a_run_that_does_not_begin_leaves_no_file(here: Path) -> None:
    log = open_log()
    log.begin(RECIPE, folder=FOLDER, description="", gauge=None)
    log.stage("warming up")
    log.note("no such layer")
    log.close()
    assert not here.exists()


def test_a_log_that_fails_is_left_out_and_the_run_is_told_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Full:
        def __getattr__(self, name: str) -> Any:
            def refuse(*_: object, **__: object) -> None:
                raise OSError("no space left on device")

            return refuse

    show_run(LoggedView(PlainView(), {"tensorboard": Full()}))
    err = capsys.readouterr().err
    assert err.count("--log tensorboard has failed and is left out: ") == 1
    assert "epoch 2/4" in err


def test_without_the_package_it_is_refused_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match="needs the package tensorboard") as refused:
        with_logs(SILENT, LOGS)
    assert refused.value.hint == "pip install tensorboard"
    assert with_logs(SILENT, ()) is SILENT
