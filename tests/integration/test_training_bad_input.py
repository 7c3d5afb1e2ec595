"""What goes wrong is one sentence with a hint, never a traceback, and nothing on stdout."""

from __future__ import annotations

import json
import os
import pickle
import resource
from pathlib import Path

import pytest
from PIL import Image

from training.cli import main

DIGITS = ("--recipe", "digits", "--device", "cpu", "--threads", "1", "--epochs", "1")
SHORT = (*DIGITS, "--batch-size", "256", "--image-size", "8", "--crop-padding", "1")
NET = """
from torch import nn

def three(num_classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))

def ten(num_classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, num_classes))
"""


class Refusal:
    """What a command that failed has said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def assert_tells(self, *parts: str, code: int) -> None:
        assert self.code == code, self.err
        assert self.out == ""
        assert "Traceback" not in self.err
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        hints = [line for line in self.err.splitlines() if line.startswith("hint: ")]
        assert len(errors) == 1, self.err
        assert len(hints) == 1, self.err
        assert not errors[0].endswith(".")
        for part in parts:
            assert part in self.err


@pytest.fixture
def refused(capfd, tmp_path, monkeypatch):
    """Run a command line in a folder of its own and return what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Refusal:
        code = main([*words])
        printed = capfd.readouterr()
        return Refusal(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a model of the zoo on digits."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", *SHORT, "--out", str(folder), "--quiet", "--json"]) == 0
    return folder


def write_images(folder: Path, classes: tuple[str, ...], count: int = 4, size: int = 8) -> None:
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            color = (40 * number, 30 * index, 99)
            Image.new("RGB", (size, size), color).save(folder / name / f"{index}.png")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--recipe", "fulll"), "fulll"),
        (("--epochs", "0"), "--epochs 0"),
        (("--batch-size", "-1"), "-1"),
        (("--learning-rate", "fast"), "fast"),
        (("--learning-rate", "nan"), "nan"),
        (("--momentum", "2"), "momentum is 2.0"),
        (("--dtype", "fp8"), "fp8"),
        (("--target-accuracy", "1.5"), "1.5"),
        (("--target-accuracy", "0.9"), "validation"),
        (("--no-epochs",), "--no-epochs"),
        (("--pue", "0.5"), "0.5"),
        (("--country", "XYZ"), "XYZ"),
        (("--threads", "0"), "--threads 0"),
        (("--resume", "x", "--out", "y"), "--out"),
        (("--resume", "x", "--model", "a", "--model", "b"), "--model"),
        (("--batch-size", "100000"), "100000"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_flag_is_a_usage_error_that_holds_its_value(refused, words, part):
    refused("train", *SHORT, *words).assert_tells(part, code=2)
    assert os.listdir() in ([], ["trainings"])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("epochs = ", "no TOML"),
        ("epoch = 3", "'epoch'"),
        ("epochs = 'three'", "'three'"),
        ("epochs = 2.5", "2.5"),
        ("flip = 1", "flip"),
        ("dtype = 'fp8'", "fp8"),
        ("schedule = 'steps'", "steps"),
        ("[model]\nname = 'x'", "model"),
        ("learning_rate = inf", "inf"),
    ],
)
def test_a_wrong_recipe_is_a_usage_error_that_names_the_field(refused, text, part):
    Path("mine.toml").write_text(text)
    refused("train", "--recipe", "mine.toml").assert_tells(part, code=2)


@pytest.mark.parametrize("spec", ["folder:nowhere", "parquet:nowhere", "cifar11", "synthetic"])
def test_no_data_is_an_error_before_anything_is_kept(refused, spec):
    said = refused("train", *SHORT, "--data", spec, "--out", "one")
    said.assert_tells(spec.split(":")[-1], code=1)
    assert not Path("one").exists()


def test_images_without_labels_cannot_be_learnt(refused):
    write_images(Path("flat"), ("train",))
    refused("train", *SHORT, "--data", "folder:flat").assert_tells("labels", code=1)


@pytest.mark.parametrize("model", ["lightweigth", "nets.py:three", "no.such:thing", "net"])
def test_a_model_that_cannot_be_had_is_one_sentence(refused, model):
    refused("train", *SHORT, "--model", model).assert_tells(model.split(":")[0], code=1)


def test_a_model_with_another_number_of_classes_is_refused(refused):
    Path("net.py").write_text(NET)
    refused("train", *SHORT, "--model", "net.py:three").assert_tells("3", "10", code=2)


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_ledger(refused):
    said = refused("train", *SHORT, "--learning-rate", "1e9", "--out", "one", "--json")
    said.assert_tells("NaN or infinite", "epoch 1", "--learning-rate", code=1)
    assert main(["ledger", "one", "--json"]) == 0


def test_a_folder_with_something_in_it_is_not_written_to(refused):
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("years of work")
    refused("train", *SHORT, "--out", "mine").assert_tells("mine", code=2)
    assert os.listdir("mine") == ["thesis.tex"]


def test_a_run_is_not_overwritten_and_the_hint_resumes_it(refused, trained):
    said = refused("train", *SHORT, "--out", str(trained))
    said.assert_tells(str(trained), f"--resume {trained}", code=2)


@pytest.mark.parametrize("out", ["/proc/one", "file/one", "file"])
def test_an_unwritable_place_is_refused_before_training(refused, out):
    Path("file").write_text("mine")
    refused("train", *SHORT, "--out", out).assert_tells(out, code=1)
    assert Path("file").read_text() == "mine"


def test_a_disk_that_is_full_keeps_the_ledger_and_says_what_to_do(refused):
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, kept[1]))
    try:
        said = refused("train", *SHORT, "--out", "one", "--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    said.assert_tells("cannot write", "one/last.safetensors", "--out", code=1)
    assert Path("one/ledger.jsonl").stat().st_size > 0
    assert not list(Path("one").glob("*.partial"))


@pytest.mark.parametrize(
    "changed", [("--batch-size", "9"), ("--learning-rate", "0.7"), ("--seed", "1")]
)
def test_a_resumed_run_keeps_its_recipe_and_the_error_names_the_field(refused, trained, changed):
    said = refused("train", "--resume", str(trained), *changed)
    said.assert_tells(changed[0].strip("-").replace("-", "_"), changed[1], code=2)


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"epochs": "x"}'])
def test_what_is_no_run_cannot_be_resumed(refused, content):
    Path("one").mkdir()
    if content is not None:
        Path("one/recipe.json").write_text(content)
    said = refused("train", "--resume", "one")
    said.assert_tells("one", code=said.code)
    assert said.code in (1, 2)
    refused("train", "--resume", "nowhere").assert_tells("nowhere", code=1)


def test_a_ledger_that_is_not_there_is_one_sentence(refused):
    Path("one").mkdir()
    refused("ledger", "one").assert_tells("one", code=1)
    refused("ledger", "nowhere", "--json").assert_tells("nowhere", code=1)


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
@pytest.mark.parametrize("kind", ["absent", "empty", "text", "cut", "pickle", "foreign"])
def test_a_checkpoint_that_is_none_is_refused_and_runs_nothing(refused, trained, verb, kind):
    path = Path("x.safetensors")
    whole = (trained / "best.safetensors").read_bytes()
    if kind == "foreign":
        import torch
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(3)}, path)
    elif kind != "absent":
        content = {
            "empty": b"",
            "text": b"hello",
            "cut": whole[: len(whole) // 2],
            "pickle": pickle.dumps(Malicious()),
        }
        path.write_bytes(content[kind])
    Image.new("RGB", (8, 8)).save("a.png")
    images = ["a.png"] if verb == "predict" else []
    refused(verb, "--checkpoint", str(path), *images).assert_tells("x.safetensors", code=1)
    assert not Path("owned").exists()


class Malicious:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("owned",))


def test_a_checkpoint_of_another_model_is_refused(refused, trained):
    checkpoint = str(trained / "best.safetensors")
    said = refused("evaluate", "--checkpoint", checkpoint, "--model", "resnet18")
    said.assert_tells("lightweight", "resnet18", code=1)


def test_code_of_a_checkpoint_must_be_named(refused):
    Path("net.py").write_text(NET)
    assert refused("train", *SHORT, "--model", "net.py:ten", "--out", "one", "--quiet").code == 0
    said = refused("evaluate", "--checkpoint", "one/best.safetensors")
    said.assert_tells("net.py:ten", "--model", code=1)
    words = ("--checkpoint", "one/best.safetensors", "--model", "net.py:ten", "--seconds", "0")
    assert refused("evaluate", *words).code == 0


def test_a_teacher_of_other_classes_is_refused(refused, trained):
    write_images(Path("data/train"), ("cat", "dog"), count=8)
    said = refused(
        "distill", "--teacher", str(trained / "best.safetensors"), "--student", "lightweight",
        *DIGITS, "--data", "folder:data", "--batch-size", "4",
    )  # fmt: skip
    said.assert_tells("2", "10", code=2)


def test_evaluating_on_other_classes_is_refused(refused, trained):
    write_images(Path("data/test"), ("cat", "dog"))
    checkpoint = str(trained / "best.safetensors")
    said = refused("evaluate", "--checkpoint", checkpoint, "--data", "folder:data")
    said.assert_tells("2", "10", code=2)


def test_a_split_that_is_not_there_is_refused(refused, trained):
    checkpoint = str(trained / "best.safetensors")
    write_images(Path("data/train"), tuple("0123456789"))
    said = refused("evaluate", "--checkpoint", checkpoint, "--data", "folder:data")
    said.assert_tells("test", code=1)
    held_out = refused("evaluate", "--checkpoint", checkpoint, "--split", "validation")
    held_out.assert_tells("validation", code=1)


@pytest.mark.parametrize("kind", ["absent", "text", "folder"])
def test_what_is_no_image_is_one_sentence(refused, trained, kind):
    path = Path("a.png")
    if kind == "text":
        path.write_text("hello")
    elif kind == "folder":
        path.mkdir()
    checkpoint = str(trained / "best.safetensors")
    refused("predict", "--checkpoint", checkpoint, "a.png").assert_tells("a.png", code=1)


def test_one_file_that_is_no_image_does_not_keep_the_others_from_it(refused, trained):
    Image.new("RGB", (8, 8)).save("a.png")
    Path("b.png").write_text("hello")
    checkpoint = str(trained / "best.safetensors")
    said = refused("predict", "--checkpoint", checkpoint, "a.png", "b.png", "--json")
    assert said.code == 1
    first, second = json.loads(said.out)["predictions"]
    assert first["guesses"]
    assert "b.png" in second["problem"]
    assert said.err.startswith("error: ")


@pytest.mark.parametrize(
    ("words", "part", "code"),
    [
        (("--seeds", "0"), "--seeds 0", 2),
        (("--resume", "."), "experiment.json", 1),
        (("--resume", "x", "--out", "y"), "--out", 2),
    ],
)
def test_a_wrong_experiment_is_refused(refused, words, part, code):
    refused("experiment", *SHORT, *words).assert_tells(part, code=code)


def test_an_experiment_that_is_refused_leaves_nothing_behind(refused):
    said = refused("experiment", *SHORT, "--data", "folder:nowhere", "--out", "study", "--quiet")
    said.assert_tells("nowhere", code=1)
    assert not Path("study").exists()


def test_an_experiment_is_not_overwritten_and_the_hint_resumes_it(refused):
    Path("study").mkdir()
    Path("study/experiment.json").write_text("{}")
    said = refused("experiment", *SHORT, "--out", "study")
    said.assert_tells("experiment --resume study", code=2)


def test_an_experiment_keeps_its_plan_and_the_error_names_the_flag(refused):
    from training.experiments.plan import ExperimentPlan, write_experiment
    from training.recipe import load_recipe

    plan = ExperimentPlan(recipe=load_recipe("digits"), models=("lightweight",), seeds=(0, 1))
    write_experiment(Path("study"), plan, ())
    for words in (("--epochs", "9"), ("--dtype", "fp16"), ("--seeds", "1")):
        said = refused("experiment", "--resume", "study", *words)
        said.assert_tells(words[0], code=2)
