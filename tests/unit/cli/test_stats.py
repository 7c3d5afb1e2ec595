import json

import pytest
import torch

from profiler.cli import main
from profiler.cli.stats import _opinion
from profiler.counting.costs import SecondOpinion


def counted(capsys, *words):
    assert main(["stats", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("model", "classes", "parameters", "macs"),
    [
        ("lightweight", "100", 258_292, 12_159_488),
        ("resnet18", "100", 11_220_132, 555_468_800),
        ("resnet18", "10", 11_173_962, 555_422_720),
    ],
)
def test_the_studys_models_have_its_exact_counts(model, classes, parameters, macs, capsys):
    found = counted(capsys, "--model", model, "--classes", classes)
    assert (found["parameter_count"], found["mac_count"]) == (parameters, macs)
    assert found["basis"] == "counted"
    assert found["uncounted_ops"] == []
    assert sum(layer["mac_count"] for layer in found["layers"]) == macs


def test_macs_grow_with_the_batch_and_parameters_do_not(capsys):
    found = counted(capsys, "--model", "lightweight", "--batch-size", "7")
    assert found["mac_count"] == 7 * 12_159_488
    assert found["parameter_count"] == 258_292


def test_layers_fold_into_their_parents_without_losing_anything(capsys):
    found = counted(capsys, "--model", "resnet18", "--depth", "0")
    (layer,) = found["layers"]
    assert layer["mac_count"] == found["mac_count"]


def test_the_model_is_not_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        print('on', x.device)\n"
        "        return x @ x.transpose(-1, -2)\n"
    )
    assert main(["stats", "--model", "net.py:Net", "--input-shape", "3x9x9", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["mac_count"] == 3 * 9**3
    assert set(printed.err.split("\n")) == {"on meta", ""}


def test_fvcore_is_asked_only_when_wanted_and_agrees(capsys):
    assert counted(capsys, "--model", "lightweight")["second_opinion"] is None
    opinion = counted(capsys, "--model", "lightweight", "--second-opinion")["second_opinion"]
    assert (opinion["verdict"], opinion["mac_count"]) == ("agree", 12_159_488)
    assert opinion["source"].startswith("fvcore")


def test_the_text_says_what_the_second_opinion_was(capsys):
    assert main(["stats", "--model", "lightweight", "--second-opinion"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "agrees on every convolution and matrix product (12,159,488 MACs)" in text


def test_a_disagreement_names_the_operators_and_both_counts():
    text = _opinion(
        SecondOpinion(
            verdict="disagree",
            source="fvcore 1",
            mac_count=5,
            differing_ops=(("matrix product", 7, 5),),
            unsupported_ops=("aten::gelu",),
        )
    )
    assert "DISAGREES, with 5 MACs: matrix product 7 here, 5 there" in text
    assert "no formula for: aten::gelu" in text
    assert "because" in _opinion(
        SecondOpinion(verdict="unavailable", source="fvcore 1", reason="because")
    )


def test_what_is_not_counted_is_shouted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.linalg.eigvals(x).abs()\n"
    )
    assert main(["stats", "--model", "net.py:Net"]) == 0
    assert "NOT COUNTED, so that the MACs are a lower bound: " in capsys.readouterr().out


def test_a_dtype_is_never_changed_by_counting(capsys):
    before = torch.get_default_dtype()
    counted(capsys, "--model", "lightweight")
    assert torch.get_default_dtype() is before


def test_inputs_of_other_kinds_are_counted_as_they_are_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words_s.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.table = torch.nn.Embedding(50, 4)\n"
        "        self.head = torch.nn.Linear(4, 3)\n"
        "    def forward(self, ids, scale):\n"
        "        return self.head(self.table(ids) * scale)\n"
    )
    words = ("--model", "words_s.py:Net", "--input", "scale=Bx9x4", "--input", "ids:Bx9:int64<50")
    found = counted(capsys, *words, "--batch-size", "2")
    assert found["mac_count"] == 2 * 9 * 4 * 3
    assert found["input_shapes"] == "2x9x4 float32 and 2x9 int64"
    assert found["device"] == "meta"


def test_a_model_that_meta_refuses_is_counted_on_the_cpu_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chooses_s.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self):\n"
        "        super().__init__(4, 2)\n"
        "    def forward(self, x):\n"
        "        return super().forward(x[torch.isfinite(x).all(1)])\n"
    )
    words = ["stats", "--model", "chooses_s.py:Net", "--input", "5x4"]
    assert main(words) == 0
    assert "Counted in a call on the CPU, since Net cannot be counted" in " ".join(
        capsys.readouterr().out.split()
    )
    found = counted(capsys, *words[1:], "--device", "cpu")
    assert (found["mac_count"], found["device"]) == (5 * 4 * 2, "cpu")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input", "1x3x32x32", "--batch-size", "2"), "--batch-size 2 cannot be set"),
        (("--input", "1x3", "--input-shape", "3"), "--input and --input-shape both choose"),
    ],
)
def test_two_flags_that_choose_the_same_are_refused(words, message, capsys):
    assert main(["stats", "--model", "lightweight", *words]) == 2
    assert message in capsys.readouterr().err
