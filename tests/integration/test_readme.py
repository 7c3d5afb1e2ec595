"""The README is executed: a command in it that no test knows is a failure."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.processes import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINES = [(kind, line) for kind, text in BLOCKS for line in text.splitlines() if line.strip()]
SHELL = [line.removeprefix("$ ") for kind, line in LINES if kind == "" or line.startswith("$ ")]
QUICK = "--max-seconds 0.5 --threads 1 --processes 1"
TINY = f"{QUICK} --batch-size 1"
CPU = f"{TINY} --device cpu"

# Command -> (flags that keep it small, exit codes it may end with here).
MEASURE = "python -m profiler measure --model"
KNOWN = {
    f"{MEASURE} lightweight --device cpu --batch-size 128 --threads 1 --country DEU": (
        "--max-seconds 0.5",
        {0},
    ),
    f"{MEASURE} lightweight --device cuda": (TINY, {0, 1}),
    f"{MEASURE} torchvision:resnet50 --input-shape 3x224x224 --device auto": (TINY, {0}),
    f"{MEASURE} mypackage.nets:build --checkpoint weights.safetensors": (CPU, {0}),
    f"{MEASURE} lightweight+int8 --device cpu": (TINY, {0}),
    "python -m profiler stats --model resnet18+depthwise --against resnet18": ("", {0}),
    "python -m profiler stats --model residual:stem=16:widths=32-64:depths=2-2:strides=2-2": (
        "",
        {0},
    ),
    f"{MEASURE} resnet18 --model lightweight --batch-size 1": (f"{QUICK} --device cpu", {0}),
    "python -m profiler doctor": ("--seconds 0.5", {0}),
    "python -m reports study seed-b --dry-run": ("--device cpu", {0}),
    "python -m models visualize lightweight resnet18 --out models.svg": ("", {0}),
}
TRAIN = "--device cpu --dtype fp32 --epochs 1 --batch-size 256 --image-size 8 --threads 1"
CHECKPOINT = "trainings/digits/best.safetensors"
FINE_TUNE = "python -m training train --recipe digits"
TRAINING = {
    "python -m training train --recipe digits --out trainings/digits": TRAIN,
    f"python -m training evaluate --checkpoint {CHECKPOINT}": "--seconds 0.2 --device cpu",
    f"python -m training evaluate --checkpoint {CHECKPOINT} --model lightweight+bf16": (
        "--seconds 0 --device cpu"
    ),
    f"{FINE_TUNE} --model lightweight+prune=0.5 --initial {CHECKPOINT}": TRAIN,
    f"python -m training predict --checkpoint {CHECKPOINT} three.png": "--device cpu",
    f"python -m training distill --recipe digits --teacher {CHECKPOINT} --student lightweight": (
        TRAIN
    ),
    "python -m training ledger trainings/digits": "",
    "python -m training experiment --recipe digits --model lightweight --model resnet18": (
        f"{TRAIN} --seeds 1"
    ),
    "python -m training search --recipe digits --trials 4 --out trainings/search": (
        f"{TRAIN} --trials 1 --max-seconds 0.3 --objective accuracy --objective latency"
    ),
    "torchrun --nproc-per-node 2 -m training train --recipe digits": TRAIN,
}
MAKE = {"make measure", "make test"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project, with the package and the weights that the README speaks of."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    package = tmp_path / "mypackage"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text(
        "from torch import nn\n"
        "def build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path


def test_every_command_of_the_readme_is_known_here() -> None:
    assert set(SHELL) == {*KNOWN, *TRAINING, *MAKE}


@pytest.mark.parametrize("command", KNOWN)
def test_a_command_of_the_readme_runs(command: str, project: Path) -> None:
    flags, codes = KNOWN[command]
    words = shlex.split(f"{command} {flags}")
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=project, env=environment(),
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode in codes, done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode == 1:
        assert done.stderr.startswith("error: no CUDA device")
        assert "hint: " in done.stderr


def test_the_trainings_of_the_readme_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In their order, since each uses what the one before it has left.

    Those that name `torchrun` are processes; the others are run here, where torch is imported.
    """
    from PIL import Image

    from training.cli import main

    monkeypatch.chdir(tmp_path)
    Image.new("L", (8, 8)).save(tmp_path / "three.png")
    for command, flags in TRAINING.items():
        words = shlex.split(f"{command} {flags}")
        if words[:3] == ["python", "-m", "training"]:
            code = main(words[3:])
            said = capfd.readouterr()
            out, err = said.out, said.err
        else:
            done = subprocess.run(
                [sys.executable, "-m", "torch.distributed.run", *words[1:]], cwd=tmp_path,
                env=environment(), capture_output=True, text=True, timeout=200, check=False,
            )  # fmt: skip
            code, out, err = done.returncode, done.stdout, done.stderr
        assert code == 0, err
        assert out, command
        assert "Traceback" not in err
        if "training ledger" not in command:  # whose columns are a run's devices
            assert all(len(line) <= 80 for line in out.splitlines()), out


def test_the_budget_of_the_readme_is_one(tmp_path: Path) -> None:
    from profiler.cli.check import read_budgets

    (text,) = [text for kind, text in BLOCKS if kind == "toml" and "[[budget]]" in text]
    (tmp_path / "budget.toml").write_text(text)
    (budget,) = read_budgets(tmp_path / "budget.toml")
    assert len(budget.at_most) == 3


def test_the_studies_scripts_are_command_lines_of_today() -> None:
    from training.cli import PROGRAM

    rows = re.findall(r"^\| `[a-z-]+(?: N)?` \| `((?:train|experiment) [^`]*)` \|$", README, re.M)
    assert len(rows) == 3
    for row in rows:
        verb, *words = row.replace(" N", " 7").split()
        arguments = PROGRAM.build_parser(verb).parse_args([verb, *words])
        assert arguments.verb == verb


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    programs = [text for kind, text in BLOCKS if kind == "python"]
    # Those of other people's trainers are run by test_lightning.py and test_huggingface.py.
    (program,) = [text for text in programs if "profiler.integrations" not in text]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    point, low, high = map(float, done.stdout.split()[:3])
    assert low <= point <= high


NUMBER = re.compile(r"-?\d[\d.,]*( ± [\d.,]+| \[[^\]]*\])?")


class AnyNumber(doctest.OutputChecker):
    """Measured numbers differ from machine to machine: figures and their basis are not compared."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return self._plain(want) == self._plain(got)

    @staticmethod
    def _plain(text: str) -> str:
        unit = re.sub(r"\b[pnµmk]?J\b", "J", NUMBER.sub("#", text))
        return re.sub(r"measured|estimated|assumed", "basis", unit)


def test_the_python_session_of_the_readme_runs() -> None:
    (session,) = [text for kind, text in BLOCKS if kind == "pycon"]
    told: list[str] = []
    test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
    runner = doctest.DocTestRunner(checker=AnyNumber())
    failed, tried = runner.run(test, out=told.append)
    assert tried == 12
    assert failed == 0, "".join(told)
    assert "245760" in session  # the one number that is the same everywhere
    assert not AnyNumber().check_output("1.9 ± 0.2 mJ (assumed)", "not seen", 0)


def test_the_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in MAKE:
        assert f"\n{command.removeprefix('make ')}: " in makefile
