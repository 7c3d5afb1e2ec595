"""Every verb of `python -m training`, as a user has it: piped, on a terminal, interrupted."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest

from profiler.ledger import read_ledger
from tests.integration.processes import environment
from tests.integration.terminals import Terminal
from training.cli import main

TRAINING = (sys.executable, "-m", "training")
# At 8x8 pixels an epoch of digits takes a tenth of a second.
DIGITS = ("--recipe", "digits", "--device", "cpu", "--threads", "1", "--batch-size", "256")
SMALL = (*DIGITS, "--image-size", "8", "--crop-padding", "1", "--dtype", "fp32")
SHORT = (*SMALL, "--epochs", "2")
PLENTY = (*SMALL, "--epochs", "50000")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TRAINING, *words], cwd=folder, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run in it."""
    folder = tmp_path_factory.mktemp("project")
    words = ("--out", "trainings/digits", "--country", "DEU", "--log", "tensorboard")
    with start(folder, "train", *SHORT, *words) as process:
        out, err = process.communicate(timeout=200)
    (folder / "stdout").write_text(out)
    (folder / "stderr").write_text(err)
    assert process.returncode == 0, err
    return folder


@pytest.fixture
def checkpoint(project: Path) -> str:
    """The best weights of that run."""
    return str(project / "trainings/digits/best.safetensors")


@pytest.fixture
def said(capfd, tmp_path, monkeypatch):
    """Run a command line in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def say(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([*words])
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return say


def wait_for_epoch(folder: Path, process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Until a run has finished an epoch."""
    end_s, path = time.monotonic() + seconds, folder / "last.json"
    while not path.exists() or json.loads(path.read_text())["info"]["epochs_done"] < 1:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_piped_there_is_a_line_an_epoch_on_stderr_and_the_result_on_stdout(project):
    out, err = (project / "stdout").read_text(), (project / "stderr").read_text()
    assert "\x1b" not in out + err
    epochs = [line for line in err.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in epochs] == ["epoch 1/2", "epoch 2/2"]
    assert all("loss" in line and "images/s" in line for line in epochs)
    assert re.search(r"test accuracy( \(top-1\)|[^\n]*\n\(top-1\))", out)
    assert "stored in trainings/digits" in out


def test_what_is_no_measurement_says_so_in_every_line(project):
    document = json.loads((project / "trainings/digits/result.json").read_text())
    basis = document["ledger"]["energy_j"]["basis"]
    lines = [
        line
        for line in (project / "stderr").read_text().splitlines()
        if line.startswith("epoch ") and "so far" in line
    ]
    assert lines
    if basis != "measured":
        assert all(re.search(r"J \((estimated|assumed)\) so far", line) for line in lines)
    assert all("(quoted)" in line for line in lines if "CO2e" in line)


def test_a_runs_folder_holds_what_it_should(project):
    names = set(os.listdir(project / "trainings/digits"))
    assert {"recipe.json", "ledger.jsonl", "last.safetensors", "best.safetensors", "last.json",
            "best.json", "result.json", "epochs.csv", "tensorboard"} <= names  # fmt: skip
    assert not [name for name in names if name.endswith(".partial")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's protocol buffers
def test_epochs_for_other_peoples_tools_are_those_of_the_result(said, project):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = project / "trainings/digits"
    document = json.loads((run / "result.json").read_text())
    frame = pandas.read_csv(run / "epochs.csv")
    assert frame["loss"].tolist() == pytest.approx([one["loss"] for one in document["curve"]])
    assert frame["energy_so_far_j"].tolist() == pytest.approx(
        [one["energy_j"]["point"] for one in document["curve"]]
    )
    assert said("ledger", str(run), "--format", "csv")[1] == (run / "epochs.csv").read_text()
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    steps = 1347 // 256
    losses = [(one.step, pytest.approx(one.value)) for one in events.Scalars("epoch/loss")]
    assert losses == [(one["epoch"] * steps, one["loss"]) for one in document["curve"]]
    (tested,) = events.Scalars("result/test_accuracy")
    assert tested.value == pytest.approx(document["test_accuracy"]["point"])


def test_json_is_one_object_and_nothing_else(said, tmp_path):
    code, out, err = said("train", *SHORT, "--json", "--quiet", "--epochs", "1")
    assert (code, err) == (0, "")
    (outcome,) = json.loads(out)["runs"]
    assert outcome["epochs_done"] == 1
    assert 0 <= outcome["test_accuracy"]["point"] <= 1
    assert (tmp_path / outcome["folder"]).parent == tmp_path / "trainings"


def test_several_models_are_trained_one_after_the_other(said, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def small(num_classes):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(),"
        " nn.Linear(192, num_classes))\n"
    )
    words = ("--model", "net.py:small", "--model", "lightweight", "--epochs", "1")
    code, out, err = said("train", *SHORT, *words, "--out", "both", "--json")
    assert code == 0, err
    first, second = json.loads(out)["runs"]
    assert [first["recipe"]["model"], second["recipe"]["model"]] == ["net.py:small", "lightweight"]
    assert sorted(os.listdir(tmp_path / "both")) == ["lightweight", "net.py-small"]


def test_a_target_stops_the_run_that_reaches_it(said, tmp_path):
    words = ("--epochs", "30", "--validation-share", "0.2", "--target-accuracy", "40%")
    code, out, err = said("train", *SHORT, *words, "--out", "one", "--json")
    assert code == 0, err
    (outcome,) = json.loads(out)["runs"]
    assert outcome["stopped_by"] == "target"
    assert outcome["curve"][-1]["validation_accuracy"] >= 0.4
    assert outcome["epochs_done"] < 30
    assert "(validation)" in err


@pytest.mark.parametrize("form", ["text", "json"])
def test_evaluate_tells_accuracy_and_cost(said, checkpoint, form):
    words = ("--checkpoint", checkpoint, "--seconds", "0.3", "--device", "cpu")
    code, out, err = said("evaluate", *words, *(["--json"] if form == "json" else []))
    assert (code, err) == (0, "")
    if form == "text":
        assert "accuracy (top-1)" in out
        assert "calibration error" in out
        assert "image/s" in out
        return
    found = json.loads(out)
    stored = json.loads(Path(checkpoint).with_name("result.json").read_text())
    assert found["top1"]["point"] == stored["test_accuracy"]["point"]
    assert found["confusion"] == stored["confusion"]
    assert sum(count for *_, count in found["confusion"]["cells"]) == found["image_count"]


def test_predict_reads_files_and_folders(said, checkpoint, tmp_path):
    from PIL import Image

    from profiler.inputs import load_dataset

    dataset = load_dataset("digits", "train")
    for label in range(3):
        index = int((dataset.labels == label).nonzero()[0])
        pixels = dataset.images[index].permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(tmp_path / f"{label}.png")
    words = ("predict", "--checkpoint", checkpoint, "--device", "cpu")
    code, out, err = said(*words, ".", "--json", "--top", "2")
    assert (code, err) == (0, "")
    found = json.loads(out)["predictions"]
    assert [Path(one["file"]).name for one in found] == ["0.png", "1.png", "2.png"]
    assert all(len(one["guesses"]) == 2 for one in found)
    _, shown, _ = said(*words, "0.png", "1.png")
    assert "1.png" in shown
    assert "%" in shown


def test_a_student_learns_from_a_teacher(said, checkpoint):
    words = ("--teacher", checkpoint, "--student", "lightweight", *SHORT, "--epochs", "1")
    code, out, err = said("distill", *words, "--out", "student", "--json")
    assert code == 0, err
    (outcome,) = json.loads(out)["runs"]
    assert outcome["recipe"]["teacher"] == checkpoint


@pytest.mark.parametrize("reference", ["trainings/digits", "digi"])
def test_the_ledger_is_found_by_folder_and_by_name(said, project, monkeypatch, reference):
    monkeypatch.chdir(project)
    code, out, err = said("ledger", reference)
    assert (code, err) == (0, "")
    assert "train" in out
    assert "energy" in out


def test_the_ledger_as_json_is_that_of_the_result(said, checkpoint):
    folder = Path(checkpoint).parent
    found = json.loads(said("ledger", str(folder), "--json")[1])
    stored = json.loads((folder / "result.json").read_text())["ledger"]
    assert found["energy_j"] == stored["energy_j"]
    assert set(found["by_phase"]) >= {"setup", "data", "train", "evaluate", "checkpoint"}


def test_an_experiment_goes_on_with_what_is_missing(said, tmp_path):
    words = (*SHORT, "--epochs", "1", "--seeds", "2", "--out", "study")
    code, out, err = said("experiment", *words)
    assert code == 0, err
    assert "lightweight" in out
    assert "lightweight" in (tmp_path / "study/table.md").read_text()
    kept = tmp_path / "study/lightweight-seed0/result.json"
    before = kept.stat().st_mtime_ns
    (tmp_path / "study/lightweight-seed1/result.json").unlink()
    again = said("experiment", "--resume", "study", "--json", "--device", "cpu")
    assert again[0] == 0, again[2]
    assert kept.stat().st_mtime_ns == before
    assert "lightweight-seed0" not in again[2]
    document = json.loads(again[1])
    assert [one["seed"] for one in document["runs"]] == [0, 1]
    assert document["models"][0]["run_count"] == 2

    added = tmp_path / "net.py"
    added.write_text(BROKEN.format(mistake=""))
    words = ("--resume", "study", "--seeds", "3", "--model", f"{added}:net", "--device", "cpu")
    code, out, err = said("experiment", *words, "--json")
    assert code == 0, err
    assert kept.stat().st_mtime_ns == before
    trained = [line.split(": ")[1] for line in err.splitlines() if line.startswith("run ")]
    assert trained == [
        "net.py-net-seed0", "net.py-net-seed1", "lightweight-seed2", "net.py-net-seed2",
    ]  # fmt: skip
    assert [one["run_count"] for one in json.loads(out)["models"]] == [3, 3]
    for words, named in (("--seeds", "2"), "--seeds 2 is fewer"), (("--epochs", "2"), "--epochs"):
        code, _, err = said("experiment", "--resume", "study", *words)
        assert code == 2
        assert named in err


BROKEN = """
import torch
from torch import nn

def net(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(8 * 8 * 3, num_classes {mistake}))
"""


def test_one_failing_model_is_a_row_of_an_experiment_and_can_be_mended(said, tmp_path):
    net = tmp_path / "net.py"
    net.write_text(BROKEN.format(mistake="+ 1"))
    words = ("--model", f"{net}:net", "--model", "lightweight", "--seeds", "1", "--out", "study")
    code, out, err = said("experiment", *SHORT, "--epochs", "1", *words)
    assert code == 1
    assert "net.py-net-seed0 failed: " in err
    assert "error: 1 of 2 runs failed\nhint: python -m training experiment --resume study" in err
    assert "0, 1 failed" in out
    document = json.loads((tmp_path / "study/experiment.json").read_text())
    assert [run["model"] for run in document["runs"]] == ["lightweight"]
    (failed,) = document["failed_runs"]
    assert "10 classes" in failed["error"]

    net.write_text(BROKEN.format(mistake=""))
    code, out, err = said("experiment", "--resume", "study", "--json", "--device", "cpu")
    assert code == 0, err
    document = json.loads(out)
    assert (len(document["runs"]), document["failed_runs"]) == (2, [])


def test_a_run_that_failed_in_its_first_epoch_is_begun_anew_and_its_joules_are_kept(said, tmp_path):
    words = (*SHORT, "--out", "run", "--epochs", "1")
    code, _, err = said("train", *words, "--learning-rate", "1e30")
    assert code == 1
    assert "NaN or infinite in epoch 1" in err
    code, _, err = said("train", *words)
    assert code == 0, err
    assert "an attempt without a finished epoch is kept in run/attempt-1" in err
    (first,) = read_ledger(tmp_path / "run/attempt-1").segments
    (second,) = read_ledger(tmp_path / "run").segments
    assert (first.ended, second.ended) == ("failed", "finished")
    code, _, err = said("train", *words)
    assert code == 2
    assert "there is something in --out run already" in err


def test_control_c_ends_a_run_in_one_line_and_it_goes_on_where_it_was(said, tmp_path):
    words = (*SHORT, "--epochs", "20", "--out", "my run", "--json", "--quiet")
    with start(tmp_path, "train", *words) as process:
        wait_for_epoch(tmp_path / "my run", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == (
        "interrupted; my run/last.safetensors is kept, go on with `python -m training train "
        "--resume 'my run' --device cpu --threads 1`\n"
    )
    kept = json.loads((tmp_path / "my run" / "last.json").read_text())["info"]["epochs_done"]
    code, _, err = said("train", "--resume", "my run", "--device", "cpu", "--threads", "1")
    assert code == 0, err
    assert f"20 epochs after {kept}" in err
    result = json.loads((tmp_path / "my run" / "result.json").read_text())
    assert result["epochs_done"] == 20
    assert [one["ended"] for one in result["ledger"]["segments"]] == ["interrupted", "finished"]


def test_sigterm_ends_a_run_as_a_scheduler_expects_and_its_ledger_can_always_be_read(
    said, tmp_path
):
    with start(tmp_path, "train", *PLENTY, "--out", "one", "--quiet") as process:
        wait_for_epoch(tmp_path / "one", process)
        shutil.copytree(tmp_path / "one", tmp_path / "cut")
        code, out, err = said("ledger", "one", "--json")
        process.send_signal(signal.SIGTERM)
        result = process.communicate(timeout=60)
    assert (code, err) == (0, "")
    assert json.loads(out)["segments"][0]["ended"] in ("running", "killed")
    assert (process.returncode, result[0]) == (143, "")
    assert result[1].startswith("interrupted; one/last.safetensors is kept")
    assert result[1].count("\n") == 1
    # The copy has no process that will write an end: it is what a killed run leaves.
    killed = json.loads(said("ledger", "cut", "--json")[1])
    assert killed["segments"][0]["ended"] == "killed"
    assert "killed" in said("ledger", "cut")[1]


class TestOnATerminal:
    """The live view: what is drawn, and what is left when it ends."""

    def test_it_is_drawn_at_any_size_and_leaves_the_result(self, tmp_path):
        sizes = iter([(40, 24), (12, 4), (40, 10), (120, 40)])

        def drag(terminal: Terminal, written: str) -> None:
            size = next(sizes, None) if "epoch 1/" in written else None
            if size is not None:
                terminal.resize(*size)

        words = (*TRAINING, "train", *SHORT, "--epochs", "8", "--out", "one")
        terminal = Terminal(tmp_path, words, columns=40)
        written = terminal.read_all(drag)
        assert terminal.process.returncode == 0, written
        assert next(sizes, None) is None
        assert "Traceback" not in written
        assert "epoch 8/8" in written
        assert "stored in one" in written
        assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")

    def test_control_c_gives_the_terminal_back(self, tmp_path):
        pressed = []

        def press(terminal: Terminal, written: str) -> None:
            if "epoch 2/" in written and not pressed:
                terminal.press_control_c()
                pressed.append(True)

        terminal = Terminal(tmp_path, (*TRAINING, "train", *PLENTY, "--out", "one"), columns=200)
        written = terminal.read_all(press)
        assert terminal.process.returncode == 130, written
        last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).split("\n")[-2].strip()
        assert last.startswith("interrupted; one/last.safetensors is kept, go on with")
        assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")

    def test_a_window_that_is_closed_does_not_end_the_run(self, tmp_path):
        def shut(terminal: Terminal, written: str) -> None:
            if "epoch 1/" in written:
                terminal.close()

        terminal = Terminal(tmp_path, (*TRAINING, "train", *SHORT, "--epochs", "6", "--out", "one"))
        terminal.read_all(shut)
        assert (tmp_path / "one/result.json").exists()


@pytest.mark.parametrize("words", [(), ("--help",), ("train", "--help"), ("ledger", "--help")])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys\nfrom training.cli import main\n"
        f"try:\n    main({list(words)!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    seen = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert seen.stderr.splitlines()[-1] == "[]"


def test_weights_for_other_classes_begin_with_a_fresh_last_layer_that_is_named(
    said, checkpoint, tmp_path
):
    from PIL import Image

    for label, colour in (("day", 200), ("night", 20)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(20):
            picture = Image.new("RGB", (8, 8), (colour, colour, number))
            picture.save(tmp_path / "photos" / label / f"{number}.png")
    words = ("--data", "folder:photos", "--initial", checkpoint, "--batch-size", "8")
    code, out, err = said("train", *SHORT, *words, "--epochs", "1", "--out", "tuned", "--json")
    assert code == 0, err
    (outcome,) = json.loads(out)["runs"]
    (told,) = [one for one in outcome["findings"] if one["kind"] == "initial-weights"]
    assert "begun anew, because the file knows another number of classes: " in told["observed"]
    assert told["observed"] in err.replace("\n", " ")
    assert outcome["confusion"]["class_names"] == ["day", "night"]
