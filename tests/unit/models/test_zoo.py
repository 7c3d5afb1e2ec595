import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch

from models import VARIANTS
from models.cli import main
from models.outline import outline, stages
from profiler.counting import count

SVG = "{http://www.w3.org/2000/svg}"


def conv_macs(cases: list[tuple[int, int, int, int]]) -> int:
    """Sum over (input channels, output channels, kernel side, output side)."""
    return sum(i * o * kernel**2 * side**2 for i, o, kernel, side in cases)


def lightweight_macs(num_classes: int) -> int:
    layers = [(3, 16, 3, 16), (16, 32, 3, 8), (32, 64, 3, 7), (64, 128, 3, 7), (128, 128, 3, 7)]
    return conv_macs(layers) + 128 * num_classes


def resnet18_macs(num_classes: int) -> int:
    layers = [(3, 64, 3, 32)] + [(64, 64, 3, 32)] * 4
    for width, side in ((128, 16), (256, 8), (512, 4)):
        layers += [(width // 2, width, 3, side), (width // 2, width, 1, side)]
        layers += [(width, width, 3, side)] * 3
    return conv_macs(layers) + 512 * num_classes


CASES = [
    ("lightweight", 100, 258_292, 12_159_488, lightweight_macs),
    ("lightweight", 10, 246_682, 12_147_968, lightweight_macs),
    ("resnet18", 100, 11_220_132, 555_468_800, resnet18_macs),
    ("resnet18", 10, 11_173_962, 555_422_720, resnet18_macs),
]


@pytest.mark.parametrize(("name", "num_classes", "parameters", "macs", "by_hand"), CASES)
def test_counts_are_those_of_the_layer_table(name, num_classes, parameters, macs, by_hand):
    assert by_hand(num_classes) == macs
    with torch.device("meta"):
        network = VARIANTS[name](num_classes=num_classes).eval()
        costs = count(network, torch.empty(1, *VARIANTS[name].input_shape))
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert (costs.parameter_count, costs.mac_count) == (parameters, macs)
    assert costs.uncounted_ops == ()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_batch_of_images_becomes_logits_that_learn(name):
    network = VARIANTS[name](num_classes=7)
    logits = network(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 7)
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_the_default_is_100_classes():
    with torch.device("meta"):
        assert all(variant().classifier.out_features == 100 for variant in VARIANTS.values())


def test_a_classifier_without_classes_is_refused():
    with pytest.raises(ValueError, match="at least one class, not 0"):
        VARIANTS["lightweight"](num_classes=0)


def test_the_table_is_read_without_torch():
    code = "import sys, models; assert models.VARIANTS; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_list_prints_one_json_object(capsys):
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert [(row["name"], row["parameter_count"], row["mac_count"]) for row in rows] == [
        ("lightweight", 258_292, 12_159_488),
        ("resnet18", 11_220_132, 555_468_800),
    ]


def test_visualize_shows_the_seven_by_seven_after_the_pool(capsys):
    assert main(["visualize", "lightweight"]) == 0
    shown = capsys.readouterr().out
    assert "MaxPool2d  -> 32x7x7" in shown
    assert "Linear  -> 100  12,900 parameters  12,800 MACs" in shown


def test_two_models_stand_side_by_side_with_bars_on_one_scale(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "160")
    out = tmp_path / "both.svg"
    assert main(["visualize", "lightweight", "resnet18+groups=2", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "lightweight: 258,292 parameters, 12,159,488 MACs" in shown
    assert "resnet18+groups=2: 5,727,396 parameters" in shown
    root = ElementTree.fromstring(out.read_text())
    boxes = [float(box.get("width")) for box in root.iter(f"{SVG}rect") if box.get("x")]
    assert min(boxes) == 2
    column = int(root.get("width")) / 2
    assert max(boxes) == column - 32
    assert 6 * max(len(text.text) for text in root.iter(f"{SVG}text")) < column
    macs = [stage.mac_count for _, stage in stages(outline("lightweight", num_classes=100), 2)]
    assert sum(macs) == 12_159_488
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert any("MaxPool2d \N{RIGHTWARDS ARROW} 32x7x7" in text for text in texts)


def test_a_narrow_terminal_has_them_below_each_other(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["visualize", "lightweight", "resnet18"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["lightwait"], 1, "lightwait"),
        (["lightweight", "resnet18", "lightweight"], 2, "3 models do not fit"),
        (["lightweight", "--out", "a.png"], 2, "--out a.png is no .svg file"),
        (["lightweight+int8"], 2, "+int8 changes numbers, not the architecture"),
    ],
)
def test_what_cannot_be_drawn_is_said(capsys, words, code, message):
    assert main(["visualize", *words]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "hint: " in shown


def test_a_misspelt_verb_is_told_the_near_one(capsys):
    assert main(["lists"]) == 2
    assert "did you mean `list`?" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "many"])
def test_a_number_of_classes_that_is_none_is_a_usage_error(count, capsys):
    assert main(["list", "--num-classes", count]) == 2
    assert f"--num-classes {count}" in capsys.readouterr().err
